"""The metrics of the whole service, read from the record when Prometheus asks for them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from core.drift import distance, estimated_accuracy
from core.errors import ExemplarError
from core.jobs import DeliveryState
from core.live_answers import LiveCounts
from core.settings import Settings
from runtime.files import disk_room
from store.record.live_answers import HOUR_S
from store.store import Store
from store.work.chunks import Waiting
from store.work.jobs import JobCount
from store.work.reviewed import AutomaticReviews
from store.work.workers import Worker

WAITING_S = 2.0  # reads an index
COUNTS_S = 15.0  # reads every row
MOST_COLLECTIONS = 100  # with their own samples: those with most answers
WORKERS_S = 5.0  # workers write their metrics every 10 seconds
ANSWERS = {
    "of_a_day": "Answers",
    "unknown_share": "The share without a known label of the answers",
    "novel_share": "The share below the threshold of novelty of the answers",
    "novel_share_expected": "The novel share to expect of pictures like the examples, of the answers",
    "estimated_accuracy": "The mean probability of the labels given in the answers",
    "label_distance": "The distance of the mix of labels from that of the examples, of the answers",
}

T = TypeVar("T")


class _Kept(Generic[T]):
    """A cached query result, so that many scrapes cost as much as one."""

    def __init__(self, read: Callable[[], T], for_s: float) -> None:
        self._read = read
        self._for_s = for_s
        self._lock = threading.Lock()
        self._found: tuple[float, T] | None = None

    def get(self) -> T:
        with self._lock:
            if self._found is None or time.monotonic() - self._found[0] > self._for_s:
                self._found = time.monotonic(), self._read()
            return self._found[1]


class RecordMetrics(Collector):
    """Metrics from the record: waiting work, jobs, items, webhooks, and the workers' own."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._data = settings.data
        self._waiting = _Kept(store.chunks.waiting, WAITING_S)
        self._jobs = _Kept(store.jobs.counts, COUNTS_S)
        self._deliveries = _Kept(store.deliveries.counts, COUNTS_S)
        self._answers = _Kept(lambda: _latest_answers(store), COUNTS_S)
        self._reviewed = _Kept(store.reviews.automatic, COUNTS_S)
        self._alive = _Kept(store.workers.alive, WORKERS_S)
        self._of_workers = _Kept(lambda: merged(store.workers.metrics()), WORKERS_S)

    def collect(self) -> Iterable[Metric]:
        """Return all families; without the record only a few."""
        try:
            return [_up(1), *self._read()]
        except ExemplarError:
            return [_up(0)]

    def _read(self) -> Iterable[Metric]:
        yield from _waiting(self._waiting.get())
        yield from _jobs(self._jobs.get())
        counts = self._deliveries.get()
        states = (((state.value,), counts.get(state, 0)) for state in DeliveryState)
        yield _gauges("exemplar_webhook_deliveries", "Webhooks kept in the record.", ("state",), states)
        yield from _answers(self._answers.get())
        yield _reviewed(self._reviewed.get())
        yield from _workers(self._alive.get())
        free, total = disk_room(self._data)
        yield GaugeMetricFamily("exemplar_disk_free_bytes", "Free space on the data folder's disk.", free)
        yield GaugeMetricFamily("exemplar_disk_bytes", "Size of the data folder's disk.", total)
        yield from self._of_workers.get()


def merged(texts: dict[str, str]) -> list[Metric]:
    """Return the merged families of several workers' metrics; each sample is labelled with its worker."""
    families: dict[str, Metric] = {}
    for worker, text in texts.items():
        for family in text_string_to_metric_families(text):
            whole = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                whole.samples.append(sample._replace(labels={**sample.labels, "worker": worker}))
    return list(families.values())


def _up(up: int) -> Metric:
    return GaugeMetricFamily("exemplar_record_up", "Whether the record answered just now.", up)


def _gauges(
    name: str, text: str, labels: Sequence[str], samples: Iterable[tuple[Sequence[str], float]]
) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _waiting(waiting: Sequence[Waiting]) -> Iterable[Metric]:
    items = (((work.lane.value, work.encoder), work.items) for work in waiting)
    ages = (((work.lane.value, work.encoder), work.oldest_s) for work in waiting)
    yield _gauges("exemplar_queued_items", "Items that wait for a worker.", ("lane", "encoder"), items)
    yield _gauges(
        "exemplar_oldest_queued_seconds", "Age of the oldest queued chunk.", ("lane", "encoder"), ages
    )


def _jobs(counts: Sequence[JobCount]) -> Iterable[Metric]:
    outcomes: Counter[tuple[str, str]] = Counter()
    for count in counts:
        outcomes[count.kind.value, "done"] += count.done
        outcomes[count.kind.value, "failed"] += count.failed
    jobs = (((count.kind.value, count.state.value), count.jobs) for count in counts)
    yield _gauges("exemplar_jobs", "Jobs kept in the record.", ("kind", "state"), jobs)
    yield _gauges("exemplar_items", "Items of these jobs.", ("kind", "outcome"), outcomes.items())


Latest = tuple[str, Mapping[str, float | None]]
"""A collection, and its values by metric."""


def _latest_answers(store: Store) -> list[Latest]:
    """Return the values of the collections that answered most in the last 24 hours."""
    now = time.time()
    counts = store.live_answers.by_collection(now - 24 * HOUR_S, now + HOUR_S)
    most = sorted(counts.items(), key=lambda one: -one[1].answers)[:MOST_COLLECTIONS]
    collections = [(store.collections.current(id_), one, store.classes.counts(id_)) for id_, one in most]
    return [
        (found.name, {"novel_share_expected": found.rule.false_reject, **_values(one, enrolled)})
        for found, one, enrolled in collections
        if found is not None
    ]


def _values(counts: LiveCounts, enrolled: Mapping[str, int]) -> dict[str, float | None]:
    return {
        "of_a_day": counts.answers,
        "unknown_share": counts.unknown_share,
        "novel_share": counts.novel_share,
        "estimated_accuracy": estimated_accuracy(counts.confidences),
        "label_distance": distance(counts.labels, enrolled),
    }


def _answers(latest: Sequence[Latest]) -> Iterable[Metric]:
    for name, text in ANSWERS.items():
        samples = [((who,), value) for who, values in latest if (value := values[name]) is not None]
        yield _gauges(f"exemplar_answers_{name}", f"{text} of the last 24 hours.", ("collection",), samples)


def _reviewed(reviewed: Sequence[AutomaticReviews]) -> Metric:
    """Return the reviews of automatic answers, of the collections with the most of them."""
    most = sorted(reviewed, key=lambda one: -one.answers)[:MOST_COLLECTIONS]
    counts = [(one, (("right", one.answers - one.wrong), ("wrong", one.wrong))) for one in most]
    return _gauges(
        "exemplar_automatic_answers_reviewed",
        "Answers that needed no person and were reviewed all the same.",
        ("collection", "outcome"),
        (((one.collection, outcome), count) for one, outcomes in counts for outcome, count in outcomes),
    )


def _workers(alive: Sequence[Worker]) -> Iterable[Metric]:
    yield GaugeMetricFamily("exemplar_workers_alive", "Workers with a recent heartbeat.", len(alive))
    text = "Time since a worker last claimed or settled work."
    yield _gauges(
        "exemplar_worker_idle_seconds", text, ("worker",), (((one.name,), one.idle_s) for one in alive)
    )
