"""The report of a collection of several labels a picture: how well it knows each, and what looks wrong."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from core.collections import Aim, RuleName
from core.report import Judgement, Listed, Part


class LabelProblem(StrEnum):
    """What may be wrong with a support's labels."""

    MISSING = "missing"
    WRONG = "wrong"


class LabelLine(Part):
    """One label, judged on supports that are scored without themselves; without numbers if it cannot be."""

    label: str
    supports: int = Field(description="Supports that bear it.")
    judged: int = Field(description="Supports judged that bear it: not the only one of a label.")
    judgement: Judgement = Field(description="`rough` below 8 supports, `not_assessable` below 2.")
    precision: float | None
    recall: float | None
    f1: float | None
    average_precision: float | None
    threshold: float = Field(description="The probability from which on the label is `yes`.")
    expected_precision: float = Field(description="What the threshold is expected to reach for new pictures.")
    expected_recall: float


class LabelAverage(Part):
    """The numbers of all labels together; `micro` counts each pair of a picture and a label once."""

    micro_precision: float | None
    micro_recall: float | None
    micro_f1: float
    macro_f1: float | None = Field(description="The mean over labels.")
    map: float | None = Field(description="The mean of the average precision over labels.")
    ece: float = Field(description="The expected calibration error over all pairs.")


class Together(Part):
    """Two labels that supports bear together; a label and its parent are left out."""

    labels: tuple[str, str]
    supports: int
    shares: tuple[float, float] = Field(description="Of the supports of the first, and of the second.")


class LabelSuspect(Part):
    """A support that may lack a label, or bear a wrong one."""

    support_id: int
    label: str
    problem: LabelProblem
    probability: float = Field(description="The label's probability by all other supports.")
    stated: bool = Field(description="Whether its labels are complete: a missing one then contradicts them.")


class LabelReport(Part):
    """The report of a collection of several labels a picture, each support scored without itself.

    What a partial set does not state is not judged.
    """

    version: int = Field(description="The collection's version that was judged.")
    rule: RuleName
    rule_used: RuleName = Field(description="The rule that answers, never `auto`.")
    aim: Aim
    precision: float
    supports: int
    complete: int = Field(description="Supports whose labels are complete.")
    judged: int = Field(description="Supports that were judged.")
    average: LabelAverage | None
    labels: tuple[LabelLine, ...] = Field(description="By name.")
    together: Listed[Together] = Field(description="Most frequent first.")
    suspects: Listed[LabelSuspect] = Field(description="The surest first.")
    notes: tuple[str, ...]
