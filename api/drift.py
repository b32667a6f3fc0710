"""The view of drift: how a collection's live answers change over time, and against what was enrolled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, Field

from api.as_model import as_model
from api.inputs import Strict
from api.routes import Routes
from api.services import services
from core.drift import Reviewed, corrected_accuracy, distance, estimated_accuracy
from core.errors import ExemplarError
from core.live_answers import LiveCounts
from store.record.keys import Scope
from store.record.live_answers import HOUR_S, LiveHour

routes = Routes("drift")

MOST_PERIODS = 1000
LABELS_SHOWN = 20


class Step(StrEnum):
    """The length of a period."""

    HOUR = "hour"
    DAY = "day"

    @property
    def hours(self) -> int:
        """The number of hours."""
        return 1 if self is Step.HOUR else 24


class DriftQuery(Strict):
    """The time to look at."""

    since: datetime | None = Field(
        None, description="The begin, in UTC unless it says otherwise; default 30 days ago."
    )
    until: datetime | None = Field(None, description="The end; default now.")
    step: Step = Field(Step.DAY, description="The length of a period; days are those of UTC.")
    caller: str | None = Field(
        None,
        max_length=100,
        description="Only answers for the key with this id, or `local`: for calls without one.",
    )


class EstimateModel(BaseModel):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class Answered(BaseModel):
    """What was answered in some time."""

    answers: int
    decisions: dict[str, int]
    unknown_share: float | None = Field(description="The share of answers without a known label.")
    novel_share: float | None = Field(
        description="The share of pictures below the threshold of `novelty`; of pictures like the examples "
        "it is about `false_reject`."
    )
    estimated_accuracy: float | None = Field(
        description="The mean calibrated probability of the labels given: the share of them that is right, "
        "as far as the calibration still holds."
    )
    label_distance: float | None = Field(
        description="How far the mix of labels is from that of the examples: 0 the same, 1 nothing in common "
        "(Jensen-Shannon distance)."
    )
    labels: dict[str, int] = Field(description="The labels given most often.")

    @staticmethod
    def fields(counts: LiveCounts, enrolled: Mapping[str, int]) -> dict[str, Any]:
        """Return its fields that counts do not have themselves."""
        return {
            "estimated_accuracy": estimated_accuracy(counts.confidences),
            "label_distance": distance(counts.labels, enrolled),
            "labels": dict(counts.labels.most_common(LABELS_SHOWN)),
        }


class Period(Answered):
    """The answers of one period, with what reviews given in it say."""

    begin: datetime
    end: datetime
    change: float | None = Field(description="The distance of the mix of labels from the period before.")
    reviewed: int = Field(description="Reviewed answers that gave a label.")
    reviewed_accuracy: float | None = Field(description="The share of their labels that the reviews leave.")
    corrected_accuracy: EstimateModel | None = Field(
        description="`estimated_accuracy` corrected by the reviews; null with fewer than 20."
    )


class CallerAnswers(Answered):
    """The answers for one caller in the whole time."""

    caller: str = Field(description="The id of its key; `local`: calls without one.")


class Drift(BaseModel):
    """The live answers of a collection over time, periods without answers left out."""

    collection: str
    since: datetime
    until: datetime
    false_reject: float = Field(description="The `novel_share` to expect of pictures like those enrolled.")
    whole: Period = Field(description="All periods together.")
    periods: list[Period]
    callers: list[CallerAnswers] = Field(description="Those with most answers first.")


@routes.add("GET", "/collections/<collection>/drift", scope=Scope.CLASSIFY)
def get_drift(collection: str, query: DriftQuery) -> Drift:
    """Show how the answers of a collection change over time, without knowing which are right."""
    store = services().store
    found = store.collections.find(collection)
    since, until = _span(query)
    hours = store.live_answers.hours(found.id, since.timestamp(), until.timestamp())
    reviews = store.live_answers.reviewed(found.id, since.timestamp(), until.timestamp())
    enrolled = store.classes.counts(found.id)
    wanted = [hour for hour in hours if query.caller is None or hour.caller == query.caller]
    of_period: dict[int, LiveCounts] = defaultdict(LiveCounts)
    for hour in wanted:
        of_period[hour.hour // query.step.hours].add(hour.counts)
    reviewed: dict[int, list[Reviewed]] = defaultdict(list)
    for at, review in reviews:
        reviewed[int(at // HOUR_S) // query.step.hours].append(review)
    whole = _sum(hour.counts for hour in wanted)
    numbers = sorted(of_period.keys() | reviewed.keys())
    spans = [(_begin(number, query.step), _begin(number + 1, query.step)) for number in numbers]
    periods = [
        _period(*span, of_period[number], reviewed[number], enrolled)
        for number, span in zip(numbers, spans, strict=True)
    ]
    for (before, number), period in zip(pairwise(numbers), periods[1:], strict=True):
        period.change = distance(of_period[before].labels, of_period[number].labels)
    return Drift(
        collection=found.name,
        since=since,
        until=until,
        false_reject=found.rule.false_reject,
        whole=_period(since, until, whole, [review for _, review in reviews], enrolled),
        periods=periods,
        callers=_callers(hours, enrolled),
    )


def _span(query: DriftQuery) -> tuple[datetime, datetime]:
    """Return begin and end in UTC, the begin of a period; raises `request_invalid`."""
    until = _utc(query.until) or datetime.now(UTC)
    since = _utc(query.since) or until - timedelta(days=30)
    if query.step is Step.DAY:
        since = since.replace(hour=0)
    since = since.replace(minute=0, second=0, microsecond=0)
    if since >= until:
        raise ExemplarError("request_invalid", f"since: expected a time before {until}, got {since}")
    periods = (until - since) / timedelta(hours=query.step.hours)
    if periods > MOST_PERIODS:
        raise ExemplarError(
            "request_invalid",
            f"expected at most {MOST_PERIODS} periods, got {periods:.0f}; ask for days, or for less time",
        )
    return since, until


def _utc(time: datetime | None) -> datetime | None:
    if time is None:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _begin(number: int, step: Step) -> datetime:
    return datetime.fromtimestamp(number * step.hours * HOUR_S, UTC)


def _sum(counts: Iterable[LiveCounts]) -> LiveCounts:
    total = LiveCounts()
    for each in counts:
        total.add(each)
    return total


def _period(
    begin: datetime,
    end: datetime,
    counts: LiveCounts,
    reviewed: Sequence[Reviewed],
    enrolled: Mapping[str, int],
) -> Period:
    corrected = corrected_accuracy(counts.confidences, reviewed)
    return as_model(
        Period,
        counts,
        **Answered.fields(counts, enrolled),
        begin=begin,
        end=end,
        change=None,
        reviewed=len(reviewed),
        reviewed_accuracy=sum(one.right for one in reviewed) / len(reviewed) if reviewed else None,
        corrected_accuracy=None if corrected is None else as_model(EstimateModel, corrected),
    )


def _callers(hours: Sequence[LiveHour], enrolled: Mapping[str, int]) -> list[CallerAnswers]:
    of_caller: dict[str, LiveCounts] = defaultdict(LiveCounts)
    for hour in hours:
        of_caller[hour.caller].add(hour.counts)
    largest = sorted(of_caller.items(), key=lambda one: -one[1].answers)
    return [
        as_model(CallerAnswers, counts, **Answered.fields(counts, enrolled), caller=caller)
        for caller, counts in largest
    ]
