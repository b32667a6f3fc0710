"""The effect that contributions would have on a collection's own examples, each judged without itself."""

from __future__ import annotations

from pydantic import Field

from core.report import Part


class Accuracy(Part):
    """How many supports were judged by the others, and the share that was right; null without any."""

    judged: int
    accuracy: float | None


class Disagreement(Part):
    """A contribution that the rest would name otherwise."""

    id: int
    label: str
    named: str


class ContributionsEffect(Part):
    """What accepting contributions would do to accuracy, left out one by one (leave-fold-out)."""

    version: int = Field(description="The collection's version that was judged.")
    contributions: int = Field(description="Those that were added: at most 5,000, of the active encoder.")
    now: Accuracy = Field(description="The supports as they are.")
    accepted: Accuracy = Field(description="The same supports, with the contributions among the others.")
    everything: Accuracy = Field(description="The supports and the contributions.")
    disagree: tuple[Disagreement, ...] = Field(
        description="Contributions that the rest would name otherwise, at most 1,000."
    )
