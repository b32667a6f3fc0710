"""The Prometheus metrics of a worker."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

MOST_COLLECTIONS = 100  # whose replicas have their own metrics
_STAGE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counters of a worker since its start."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # an unneeded series for each metric
        self.registry = registry = CollectorRegistry()
        ProcessCollector("exemplar_worker", registry=registry)
        self.stage = Histogram(
            "exemplar_stage_seconds",
            "Time of fetch, decode and prepare for a picture; of load, embed, search and settle for a batch.",
            ("stage",),
            registry=registry,
            buckets=_STAGE_BUCKETS_S,
        )
        self.batch = Histogram(
            "exemplar_batch_items",
            "Pictures in one batch of the encoder.",
            registry=registry,
            buckets=_BATCH_BUCKETS,
        )
        self.items = Counter(
            "exemplar_settled_items", "Items settled.", ("kind", "outcome"), registry=registry
        )
        self.claims = Counter(
            "exemplar_chunk_claims",
            "Chunks claimed, for the first time or again after a failure.",
            ("attempt",),
            registry=registry,
        )
        self.ends = Counter(
            "exemplar_chunk_ends",
            "Claimed chunks by how they ended: settled, requeued, attempt failed, or lost "
            "because another worker took over the expired lease.",
            ("outcome",),
            registry=registry,
        )
        self.sweeps = Counter("exemplar_sweeps", "Sweeps for chunks with expired leases.", registry=registry)
        self.leases_expired = Counter(
            "exemplar_leases_expired", "Chunks with expired leases found by sweeps.", registry=registry
        )
        self.webhook_calls = Counter(
            "exemplar_webhook_calls",
            "Webhook calls: delivered, refused by the receiver, or failed on the way.",
            ("outcome",),
            registry=registry,
        )
        self._version = Gauge(
            "exemplar_replica_version",
            "Version of the collection that the worker's replica has.",
            ("collection",),
            registry=registry,
        )
        self._lag = Gauge(
            "exemplar_replica_lag",
            "Changes that the replica will apply before its next search.",
            ("collection",),
            registry=registry,
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
