"""The report of a collection: how well its classes are separated, and what would improve it."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from core.collections import ClassKind, ErrorOf, IndexName, Metric, RuleName

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


class AddedSuspect(Part):
    """An added picture that is nearer to another class than to the rest of its own, if all were enrolled."""

    id: int = Field(description="The item of the check, or the id of the contribution.")
    label: str
    looks_like: str
    margin: float = Field(description="Cosine to its class without itself, minus that to the nearest other.")


class Effect(Part):
    """How the answers about supports would change if checked or contributed pictures were enrolled."""

    version: int = Field(description="The collection's version that they were added to.")
    added: int = Field(description="Pictures that would be enrolled.")
    judged: int = Field(description="Supports that were judged, each left out; of classes with two or more.")
    before: float | None = Field(description="The share of them that is answered rightly now.")
    after: float | None
    change: float | None
    standard_error: float | None = Field(description="Of the change, from the paired differences.")
    became_right: int
    became_wrong: int
    added_judged: int
    added_accuracy: float | None = Field(description="The share of the added ones that is answered rightly.")
    suspects: Listed[AddedSuspect] = Field(description="Added ones with maybe wrong labels, worst first.")


class Harmful(Part):
    """A support without which more of the others would be answered rightly."""

    support_id: int
    label: str
    fixed: int = Field(description="Other supports that become right without it.")
    broken: int = Field(description="Other supports that become wrong without it.")
    influence: float = Field(
        description="The sum over the others of how much more probable their own class becomes without it."
    )


class CurvePoint(Part):
    """The accuracy with so many examples of each class, drawn from the supports."""

    examples: int
    accuracy: float
    standard_error: float
    classes: int = Field(description="Classes with more supports than that, which were asked about.")


class ClassWorth(Part):
    """What more examples of a class are expected to be worth: a forecast."""

    label: str
    more: int
    points: float = Field(description="By how much its recall is expected to rise, in percentage points.")
    low: float = Field(description="The interval that contains the rise with a probability of 80 %.")
    high: float


class LearningCurve(Part):
    """Accuracies with fewer examples, and the power law that continues them."""

    points: tuple[CurvePoint, ...]
    exponent: float = Field(description="The share of wrong answers falls with examples ** -exponent.")
    exponent_error: float
    worth: tuple[ClassWorth, ...] = Field(description="The greatest first.")


class Foretold(Part):
    """What a budget would leave to people."""

    max_error: float
    to_people: float = Field(description="The share of pictures like the supports that would need a person.")


class ReviewedAutomatic(Part):
    """What people said of answers that needed no person."""

    answers: int
    wrong: int
    share: float | None
    upper_bound: float | None = Field(
        description="The share is below it, 90 % sure, if the reviewed ones are a random sample."
    )


class ErrorBudget(Part):
    """What the rule's `max_error` lets be labelled by machine."""

    max_error: float
    error_of: ErrorOf
    sure: float | None = Field(
        description="The probability that the share of wrong labels stays within it; null of an average."
    )
    threshold: float | None = Field(
        description="The least confidence of an automatic label; null if the supports prove too little, and "
        "people label everything."
    )
    answers: int = Field(description="Left-out answers that it rests on.")
    automatic: int = Field(description="Those of them that would need no person.")
    wrong: int = Field(description="Those of these that are wrong.")
    to_people: float = Field(description="The foretold share of pictures that need a person.")
    fewest: int = Field(description="Answers that it takes at least, if none is wrong.")
    unfamiliar: float | None = Field(
        description="The share of pictures of classes never enrolled that would be labelled by machine all "
        "the same, estimated by leaving out one class at a time; each of these labels is wrong."
    )
    reviewed: ReviewedAutomatic | None = None
    note: str


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
    accuracy_interval: tuple[float, float] | None = Field(
        None, description="The interval of the accuracy at 95 % (Wilson)."
    )
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
    harmful: Listed[Harmful] = Field(
        Listed[Harmful](total=0, items=()), description="Supports that hurt the answers about others."
    )
    learning_curve: LearningCurve | None = Field(
        None, description="Null if half of the classes have fewer than three supports."
    )
    foretold: tuple[Foretold, ...] = Field((), description="What error budgets would leave to people.")
    error_budget: ErrorBudget | None = Field(None, description="Null without a `max_error`.")
    notes: tuple[str, ...]
