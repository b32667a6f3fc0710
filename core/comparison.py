"""Comparison of two encoders: their reports over the same supports, and the answers that would change."""

from __future__ import annotations

from pydantic import Field

from core.label_report import LabelReport
from core.report import CollectionReport, Listed, Part


class ChangedAnswer(Part):
    """A support that the two encoders classify differently, judging it by the others."""

    support_id: int
    label: str
    named: str = Field(description="By the active encoder.")
    probability: float
    other_named: str = Field(description="By the other encoder.")
    other_probability: float


class _Both(Part):
    version: int
    encoder: str = Field(description="The active encoder.")
    other: str
    compared: int = Field(description="Supports with vectors of both encoders; the reports are of these.")


class Comparison(_Both):
    """What would change if the collection answered with its other encoder."""

    report: CollectionReport
    other_report: CollectionReport
    changed: Listed[ChangedAnswer] = Field(description="Answers that would change, at most 1000.")
    corrected: int = Field(description="Answers that are wrong now and would be right.")
    broken: int = Field(description="Answers that are right now and would be wrong.")
    notes: tuple[str, ...]


class LabelComparison(_Both):
    """The reports of both encoders of a collection of several labels a picture.

    Compare `map` and `micro_f1` of their averages.
    """

    report: LabelReport
    other_report: LabelReport
    notes: tuple[str, ...]
