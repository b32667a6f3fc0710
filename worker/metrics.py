"""The metrics of a worker, as Prometheus reads them."""

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

MOST_COLLECTIONS = 100  # whose replicas have metrics of their own
_STAGE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """What a worker counts from its start on."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, of no use
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
            "Claimed chunks that were settled, requeued without blame, failed in this attempt, or lost "
            "with their lease to another worker.",
            ("outcome",),
            registry=registry,
        )
        self.sweeps = Counter("exemplar_sweeps", "Looks for chunks whose lease ran out.", registry=registry)
        self.leases_ran_out = Counter(
            "exemplar_leases_ran_out", "Chunks found by sweeps whose lease had run out.", registry=registry
        )
        self.webhook_calls = Counter(
            "exemplar_webhook_calls",
            "Calls of webhooks: delivered, refused by the receiver, or failed on the way.",
            ("outcome",),
            registry=registry,
        )
        self._version = Gauge(
            "exemplar_replica_version",
            "Version of the collection that the worker's replica holds.",
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
        """Show replicas by their collection's name: the version each holds, and the record's."""
        for gauge in (self._version, self._lag):
            gauge.clear()
        for name, (held, current) in sorted(replicas.items())[:MOST_COLLECTIONS]:
            self._version.labels(name).set(held)
            self._lag.labels(name).set(max(current - held, 0))

    def text(self) -> str:
        """Return all in Prometheus' text format."""
        return generate_latest(self.registry).decode()
