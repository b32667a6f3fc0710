"""Answers about a picture: computed by the index, stored in results, and returned over HTTP unchanged.

The OpenAPI document is generated from these classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, TypeAdapter

from core.collections import DecisionName, LabelDecision, RuleName
from core.tiles import Part

DIGITS = 6  # decimal places of a confidence
Rounded = Annotated[float, PlainSerializer(lambda confidence: round(confidence, DIGITS))]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate class."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A support near the picture."""

    support_id: int
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Contribution:
    """A support that contributed to the best class."""

    support_id: int
    label: str
    similarity: Annotated[float, Field(description="Cosine similarity to the picture.")]
    share: Annotated[float, Field(description="Its share of all contributions to the best class.")]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of the best class."""

    margin: Annotated[
        float | None,
        Field(
            description="Difference between the best and the second class in the rule's own score; null if "
            "there is no second."
        ),
    ]
    supports: Annotated[
        tuple[Contribution, ...],
        Field(description="The supports that contributed most, largest share first."),
    ]


@dataclass(frozen=True, slots=True)
class CandidateSet:
    """The labels that contain the true one with a probability of `level` (a conformal set).

    Calibrated on the collection's own supports, for pictures of its classes.
    """

    level: Annotated[float, Field(description="The target coverage: the rule's `coverage`.")]
    labels: Annotated[tuple[str, ...], Field(description="Most probable first.")]


@dataclass(frozen=True, slots=True)
class Novelty:
    """How familiar the picture is, and the threshold below which it is unknown."""

    score: Annotated[float, Field(description="Lower is less familiar.")]
    threshold: Annotated[
        float | None,
        Field(
            description="A picture with a lower score is unknown; null if there are too few supports to set "
            "one."
        ),
    ]
    accepts_unfamiliar: Annotated[
        float | None,
        Field(
            description="Expected share of unfamiliar pictures, of classes not enrolled, that are accepted; "
            "null if it cannot be estimated."
        ),
    ]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer about one picture, with the version of the collection that it is based on.

    `label` is None if the picture is unknown, and the best guess if it is ambiguous; `confidence` is
    its probability, 0 if there is none. `candidate_set` is None if
    there are too few supports to compute one. `automatic` is None without an error budget.
    """

    decision: DecisionName
    label: str | None
    confidence: Rounded
    candidates: tuple[Candidate, ...]
    neighbours: tuple[Neighbour, ...]
    rule: RuleName
    """The rule that decided, never `auto`."""
    explanation: Explanation
    candidate_set: CandidateSet | None
    novelty: Novelty | None
    index_version: int
    automatic: bool | None = None

    def first(self, top: int) -> Answer:
        """Return it with at most `top` candidates and neighbours."""
        return replace(self, candidates=self.candidates[:top], neighbours=self.neighbours[:top])


@dataclass(frozen=True, slots=True)
class LabelAnswer:
    """One of several labels of a picture that is, or may be, right."""

    label: str
    probability: Rounded
    decision: Annotated[
        LabelDecision, Field(description="`yes` from the label's own threshold on, `unsure` below it.")
    ]
    explanation: Explanation
    part: Part | None = None
    """The part of the picture that decided it; None for the whole picture."""


@dataclass(frozen=True, slots=True)
class ManyNeighbour:
    """A support near the picture, with its labels."""

    support_id: int
    labels: tuple[str, ...]
    complete: Annotated[
        bool, Field(description="Whether it has no other labels; otherwise nothing is known about those.")
    ]
    similarity: float


@dataclass(frozen=True, slots=True)
class ManyAnswer:
    """The answer about one picture that may have several labels.

    It is `known` if any label is `yes`, `ambiguous` if none is but some are `unsure`, `unknown` if the
    picture is unlike all supports, and `none` if it is like them and has none of the labels.
    """

    decision: DecisionName
    labels: Annotated[
        tuple[LabelAnswer, ...], Field(description="Those that are `yes` or `unsure`, most probable first.")
    ]
    confidence: Annotated[
        Rounded,
        Field(description="The probability of the best label; 0 of `unknown` and `none`."),
    ]
    candidates: Annotated[
        tuple[Candidate, ...], Field(description="The most probable labels, whatever the decision.")
    ]
    neighbours: tuple[ManyNeighbour, ...]
    rule: RuleName
    """The rule that decided, never `auto`."""
    novelty: Novelty | None
    index_version: int

    def first(self, top: int) -> ManyAnswer:
        """Return it with at most `top` candidates and neighbours."""
        return replace(self, candidates=self.candidates[:top], neighbours=self.neighbours[:top])


@dataclass(frozen=True, slots=True)
class Found:
    """The supports nearest to one picture, without a decision."""

    neighbours: tuple[Neighbour | ManyNeighbour, ...]
    index_version: int

    def first(self, top: int) -> Found:
        """Return it with at most `top` neighbours."""
        return replace(self, neighbours=self.neighbours[:top])


_JSON: TypeAdapter[Answer | ManyAnswer | Found] = TypeAdapter(Answer | ManyAnswer | Found)


def as_json(answer: Answer | ManyAnswer | Found) -> Mapping[str, Any]:
    """Return the form that results store."""
    found: dict[str, Any] = _JSON.dump_python(answer, mode="json")
    if found.get("automatic", False) is None:  # without an error budget answers are as they always were
        del found["automatic"]
    return found
