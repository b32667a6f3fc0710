"""The report of a collection: how well its classes are separated, and what would improve it."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from core.types import ClassKind, IndexName, Metric, RuleName

FAIR = 8  # pictures from which on a class's numbers are reliable (measured: with fewer mostly noise)


class Judgement(StrEnum):
    """How reliable the numbers of a class are."""

    FAIR = "fair"
    ROUGH = "rough"
    NOT_ASSESSABLE = "not_assessable"


def judgement_of(supports: int) -> Judgement:
    """Return how reliable the numbers of a class of so many supports are.

    A single support cannot be left out and judged; fewer than eight give a rough estimate.
    """
    if supports < 2:
        return Judgement.NOT_ASSESSABLE
    return Judgement.ROUGH if supports < FAIR else Judgement.FAIR


class Part(BaseModel):
    """A part of a report, which does not change."""

    model_config = ConfigDict(frozen=True)


T = TypeVar("T")


class Listed(Part, Generic[T]):
    """The first entries of a list, and the total number."""

    total: int
    items: tuple[T, ...]


class ClassLine(Part):
    """One class in the classification report; without numbers if it could not be judged."""

    label: str
    kind: ClassKind
    supports: int = Field(description="Supports enrolled.")
    judged: int = Field(description="Supports judged, each by the others: the table's support column.")
    judgement: Judgement = Field(description="`rough` below 8 supports, `not_assessable` below 2.")
    precision: float | None
    recall: float | None
    f1: float | None


class Average(Part):
    """An average over the judged classes."""

    precision: float
    recall: float
    f1: float
    judged: int


class ConfusedCell(Part):
    """The number of supports of one class predicted as another."""

    label: str
    named: str
    count: int


class Confusion(Part):
    """The confusion matrix: row i counts the predictions of supports of class i."""

    labels: tuple[str, ...] = Field(description="At most 100: of more classes, the most confused.")
    counts: tuple[tuple[int, ...], ...]
    complete: bool = Field(description="Whether every class is in the matrix.")
    errors: Listed[ConfusedCell] | None = Field(
        description="If it is not complete: the off-diagonal cells over all classes, at most 1000."
    )


class ConfusedPair(Part):
    """Two confused classes."""

    labels: tuple[str, str]
    count: int = Field(description="Supports of either class predicted as the other.")
    rate: float = Field(description="Their share of the judged supports of both.")
    taken: tuple[int, int] = Field(description="First predicted as second, second predicted as first.")


class SmallClass(Part):
    """A class too small to judge."""

    label: str
    supports: int
    judgement: Judgement


class Suspect(Part):
    """A support with a possibly wrong label: it is nearer to another class than to the rest of its own."""

    support_id: int
    label: str
    looks_like: str
    margin: float = Field(description="Cosine to its class without itself, minus that to the nearest other.")


class Mistake(Part):
    """A support that the others of its collection predicted as another class."""

    support_id: int
    label: str
    named: str


class Duplicates(Part):
    """Supports that show the same picture."""

    support_ids: tuple[int, ...]
    labels: tuple[str, ...]
    conflict: bool = Field(description="Whether they are in different classes.")


class Wanted(Part):
    """A class that needs more pictures, and why."""

    label: str
    more: int
    reason: str


class CollectionReport(Part):
    """The report of a collection from its supports, each judged without its fold (leave-fold-out)."""

    version: int = Field(description="The collection's version that was judged.")
    rule: RuleName
    metric: Metric
    rule_used: RuleName = Field(description="The rule that answers, never `auto`.")
    index: IndexName = Field(IndexName.FLAT, description="How the supports are searched.")
    recall_at_10: float | None = Field(
        None,
        description="The recall@10 of the index; null where every search compares "
        "with all supports, and for `milvus`.",
    )
    supports: int
    judged: int = Field(description="Supports that were judged; the only support of a class cannot be.")
    examined: int = Field(description="Supports checked for wrong labels and near duplicates.")
    accuracy: float | None
    classes: tuple[ClassLine, ...]
    macro_avg: Average | None
    weighted_avg: Average | None
    confusion: Confusion
    confused_pairs: Listed[ConfusedPair]
    too_small: Listed[SmallClass]
    suspects: Listed[Suspect]
    mistakes: Listed[Mistake] = Field(
        Listed[Mistake](total=0, items=()), description="The supports of the matrix's off-diagonal cells."
    )
    duplicates: Listed[Duplicates]
    near_duplicates: Listed[Duplicates]
    wanted: Listed[Wanted]
    notes: tuple[str, ...]
