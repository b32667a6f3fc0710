"""Views for those who look after the service: live, ready, metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import structlog
from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.models import Health
from api.routes import Routes, as_json
from api.services import services
from core.errors import ExemplarError
from store.store import Store

log = structlog.get_logger("exemplar.api")

routes = Routes("health", prefix="")


@routes.add("GET", "/healthz", scope=None, answer=Health)
def healthz() -> Health:
    """Say that the process lives."""
    return Health(status="alive")


@routes.add("GET", "/readyz", scope=None, answer=Health)
def readyz() -> Response:
    """Say whether record, blobs and queue answer and a worker is alive; 503 where not."""
    store = services().store
    checks = {
        "record": _check(store.chunks.waiting),
        "blobs": _check(store.blobs.check),
        "queue": _check(store.turns.check),
        "workers": _check(lambda: _require_worker(store)),
    }
    ready = all(result == "ok" for result in checks.values())
    return as_json(Health(status="ready" if ready else "not ready", checks=checks), 200 if ready else 503)


@routes.add("GET", "/metrics", scope=None, media_types=("text/plain",))
def metrics() -> Response:
    """Show the service in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_StoreCollector(services().store))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _check(probe: Callable[[], object]) -> str:
    try:
        probe()
    except ExemplarError as error:
        return error.code
    except Exception as error:  # the boundary of the probe: whatever it is, the service is not ready
        log.error("probe_failed", exc_info=error)
        return "internal_error"
    return "ok"


def _require_worker(store: Store) -> None:
    if not store.workers.alive():
        raise ExemplarError("no_worker", "no worker has been heard of lately")


class _StoreCollector(Collector):
    """Reads the metrics from the record each time they are asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterable[Metric]:
        depth = GaugeMetricFamily(
            "exemplar_queued_items", "Items that wait for a worker.", labels=("lane", "encoder")
        )
        age = GaugeMetricFamily(
            "exemplar_oldest_queued_seconds", "Age of the longest waiting chunk.", labels=("lane", "encoder")
        )
        for waiting in self._store.chunks.waiting():
            depth.add_metric([waiting.lane.value, waiting.encoder], waiting.items)
            age.add_metric([waiting.lane.value, waiting.encoder], waiting.oldest_s)
        jobs = GaugeMetricFamily("exemplar_jobs", "Jobs kept in the record.", labels=("kind", "state"))
        items = GaugeMetricFamily("exemplar_items", "Items of these jobs.", labels=("kind", "outcome"))
        outcomes: Counter[tuple[str, str]] = Counter()
        for count in self._store.jobs.counts():
            jobs.add_metric([count.kind.value, count.state.value], count.jobs)
            outcomes[count.kind.value, "done"] += count.done
            outcomes[count.kind.value, "failed"] += count.failed
        for (kind, outcome), number in outcomes.items():
            items.add_metric([kind, outcome], number)
        alive = GaugeMetricFamily("exemplar_workers_alive", "Workers heard of lately.")
        alive.add_metric([], len(self._store.workers.alive()))
        return (depth, age, jobs, items, alive)
