"""The Prometheus metrics of a worker."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    start_http_server,
)

from core.errors import ExemplarError
from core.settings import Settings

MOST_COLLECTIONS = 100  # whose replicas have their own metrics
_STAGE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counters of a worker since its start."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # an unneeded series for each metric
        self.registry = registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        ProcessCollector("exemplar_worker", registry=registry)
        self.stage = histogram(
            "exemplar_stage_seconds",
            "Time of fetch, decode and prepare for a picture; of load, embed, search and settle for a batch.",
            ("stage",),
            buckets=_STAGE_BUCKETS_S,
        )
        self.batch = histogram(
            "exemplar_batch_items", "Pictures in one batch of the encoder.", buckets=_BATCH_BUCKETS
        )
        self.items = counter("exemplar_settled_items", "Items settled.", ("kind", "outcome"))
        self.claims = counter(
            "exemplar_chunk_claims",
            "Chunks claimed, for the first time or again after a failure.",
            ("attempt",),
        )
        self.ends = counter(
            "exemplar_chunk_ends",
            "Claimed chunks by how they ended: settled, requeued, attempt failed, or lost "
            "because another worker took over the expired lease.",
            ("outcome",),
        )
        self.sweeps = counter("exemplar_sweeps", "Sweeps for chunks with expired leases.")
        self.leases_expired = counter(
            "exemplar_leases_expired", "Chunks with expired leases found by sweeps."
        )
        self.webhook_calls = counter(
            "exemplar_webhook_calls",
            "Webhook calls: delivered, refused by the receiver, or failed on the way.",
            ("outcome",),
        )
        self._version = gauge(
            "exemplar_replica_version",
            "Version of the collection that the worker's replica has.",
            ("collection",),
        )
        self._lag = gauge(
            "exemplar_replica_lag",
            "Changes that the replica will apply before its next search.",
            ("collection",),
        )

    def show_replicas(self, replicas: Mapping[str, tuple[int, int]]) -> None:
        """Report the versions of replicas by collection name, and how far they are behind the record."""
        for gauge in (self._version, self._lag):
            gauge.clear()
        for name, (held, current) in sorted(replicas.items())[:MOST_COLLECTIONS]:
            self._version.labels(name).set(held)
            self._lag.labels(name).set(max(current - held, 0))

    def text(self) -> str:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry).decode()


def serve_metrics(settings: Settings, metrics: Metrics) -> None:
    """Serve `/metrics` in a thread if the settings name a port; raises `port_in_use`."""
    if settings.metrics_port == 0:
        return
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, metrics.registry)
    except OSError as error:
        raise ExemplarError(
            "port_in_use",
            f"{settings.metrics_host}:{settings.metrics_port} cannot be listened on for metrics: {error}",
        ) from error
