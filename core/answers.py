"""What is said about a picture: made by the index, stored in results, and shown over HTTP as it is.

The OpenAPI document is made of these classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, TypeAdapter

from core.types import DecisionName, RuleName

DIGITS = 6  # of a confidence


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class that may be meant."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A support near to the picture."""

    support_id: int
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Contribution:
    """A support that spoke for the best class."""

    support_id: int
    label: str
    similarity: Annotated[float, Field(description="Cosine similarity to the picture.")]
    share: Annotated[float, Field(description="Its part of what spoke for the best class.")]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the best class is the best."""

    margin: Annotated[
        float | None,
        Field(
            description="How far the best class lies before the second, in the rule's own score; null where "
            "there is no second."
        ),
    ]
    supports: Annotated[
        tuple[Contribution, ...], Field(description="The supports that decided, the weightiest first.")
    ]


@dataclass(frozen=True, slots=True)
class CandidateSet:
    """The labels among which the true one is, as often as `level` says (a conformal set).

    Learnt from the collection's own supports, for pictures of its classes.
    """

    level: Annotated[
        float, Field(description="How often such a set holds the true label, as the rule's `coverage`.")
    ]
    labels: Annotated[tuple[str, ...], Field(description="The most probable first.")]


@dataclass(frozen=True, slots=True)
class Novelty:
    """How like something known the picture is, and from where on it counts as known."""

    score: Annotated[float, Field(description="The lower the less familiar.")]
    threshold: Annotated[
        float | None,
        Field(
            description="A picture that scores less is unknown; null where there are too few supports to set "
            "one."
        ),
    ]
    accepts_unfamiliar: Annotated[
        float | None,
        Field(
            description="The share of pictures of classes not enrolled here that are expected to be named "
            "all the same; null where it cannot be told."
        ),
    ]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said about one picture, and by which version of the collection.

    `label` is None where the picture is unknown, and the best guess where it is ambiguous; `confidence` is
    its probability, 0 where there is none. `candidate_set` is None where
    there are too few supports to state one.
    """

    decision: DecisionName
    label: str | None
    confidence: Annotated[float, PlainSerializer(lambda confidence: round(confidence, DIGITS))]
    candidates: tuple[Candidate, ...]
    neighbours: tuple[Neighbour, ...]
    rule: RuleName
    """The rule that decided; `auto` has become another."""
    explanation: Explanation
    candidate_set: CandidateSet | None
    novelty: Novelty | None
    index_version: int

    def first(self, top: int) -> Answer:
        """Return it with no more than `top` candidates and neighbours."""
        return replace(self, candidates=self.candidates[:top], neighbours=self.neighbours[:top])


@dataclass(frozen=True, slots=True)
class Found:
    """The supports nearest to one picture, without a decision."""

    neighbours: tuple[Neighbour, ...]
    index_version: int

    def first(self, top: int) -> Found:
        """Return it with no more than `top` neighbours."""
        return replace(self, neighbours=self.neighbours[:top])


_JSON: TypeAdapter[Answer | Found] = TypeAdapter(Answer | Found)


def as_json(answer: Answer | Found) -> Mapping[str, Any]:
    """Return what stands in a result."""
    found: Mapping[str, Any] = _JSON.dump_python(answer, mode="json")
    return found
