"""The report of a collection: how well its own pictures are told apart, and what would make it better."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from core.types import ClassKind, IndexName, Metric, RuleName

FAIR = (
    8  # pictures of a class from which on its own figures mean much (measured: below, they are mostly luck)
)


class Judgement(StrEnum):
    """How far the figures of a class can be believed."""

    FAIR = "fair"
    ROUGH = "rough"
    NOT_ASSESSABLE = "not_assessable"


def judgement_of(supports: int) -> Judgement:
    """Return how far the figures of a class of so many supports can be believed.

    A lone support cannot be left out and judged; fewer than eight say little.
    """
    if supports < 2:
        return Judgement.NOT_ASSESSABLE
    return Judgement.ROUGH if supports < FAIR else Judgement.FAIR


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


T = TypeVar("T")


class Listed(_Part, Generic[T]):
    """The first of a list, and how many there are in all."""

    total: int
    items: tuple[T, ...]


class ClassLine(_Part):
    """One class in the familiar table; no figures where it could not be judged."""

    label: str
    kind: ClassKind
    supports: int = Field(description="Supports enrolled.")
    judged: int = Field(description="Supports judged, each by the others: what the table calls support.")
    judgement: Judgement = Field(description="`rough` below 8 supports, `not_assessable` below 2.")
    precision: float | None
    recall: float | None
    f1: float | None


class Average(_Part):
    """An average over the classes that were judged."""

    precision: float
    recall: float
    f1: float
    judged: int


class ConfusedCell(_Part):
    """How many supports of one class were taken for another."""

    label: str
    named: str
    count: int


class Confusion(_Part):
    """The confusion matrix: row i counts what supports of class i were taken for."""

    labels: tuple[str, ...] = Field(description="At most 100: of more classes, those confused most.")
    counts: tuple[tuple[int, ...], ...]
    complete: bool = Field(description="Whether every class is in the matrix.")
    errors: Listed[ConfusedCell] | None = Field(
        description="Where it is not complete: the cells off the diagonal over all classes, at most 1000."
    )


class ConfusedPair(_Part):
    """Two classes taken for each other."""

    labels: tuple[str, str]
    count: int = Field(description="Supports of either class that were taken for the other.")
    rate: float = Field(description="Their share in the judged supports of both.")
    taken: tuple[int, int] = Field(description="First taken for second, second taken for first.")


class SmallClass(_Part):
    """A class too small to judge."""

    label: str
    supports: int
    judgement: Judgement


class Suspect(_Part):
    """A support that may have a wrong label: it is nearer to another class than to the rest of its own."""

    support_id: int
    label: str
    looks_like: str
    margin: float = Field(description="Cosine to its class without itself, less that to the nearest other.")


class Duplicates(_Part):
    """Supports that show the same picture."""

    support_ids: tuple[int, ...]
    labels: tuple[str, ...]
    conflict: bool = Field(description="Whether they stand in different classes.")


class Wanted(_Part):
    """What to photograph next."""

    label: str
    more: int
    reason: str


class CollectionReport(_Part):
    """What the supports of a collection say about it, each judged without its fold (leave-fold-out)."""

    version: int = Field(description="The version of the collection that this is said of.")
    rule: RuleName
    metric: Metric
    rule_used: RuleName = Field(description="The rule that answers: `auto` is one of the others.")
    index: IndexName = Field(IndexName.FLAT, description="How the supports are searched.")
    recall_at_10: float | None = Field(
        None,
        description="How many of a support's nearest ten the index finds; null where every search compares "
        "with all supports, and for `milvus`.",
    )
    supports: int
    judged: int = Field(description="Supports that the figures are of; those alone in their class are not.")
    examined: int = Field(description="Supports looked through for wrong labels and near duplicates.")
    accuracy: float | None
    classes: tuple[ClassLine, ...]
    macro_avg: Average | None
    weighted_avg: Average | None
    confusion: Confusion
    confused_pairs: Listed[ConfusedPair]
    too_small: Listed[SmallClass]
    suspects: Listed[Suspect]
    duplicates: Listed[Duplicates]
    near_duplicates: Listed[Duplicates]
    wanted: Listed[Wanted]
    notes: tuple[str, ...]
