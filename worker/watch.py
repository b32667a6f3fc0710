"""Observation of chunks in progress: metrics, log lines and spans."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from core.errors import ExemplarError
from core.jobs import Chunk
from runtime.tracing import Tracing
from store.record.enrolment import Enrolment
from store.work.settlement import Settlement
from worker.metrics import Metrics

log = structlog.get_logger("exemplar.worker")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stage of a chunk, in nanoseconds since 1970."""

    stage: str
    begun_ns: int
    ended_ns: int


@dataclass(slots=True)
class _UnderWay:
    """A claimed chunk and its stages so far."""

    begun_ns: int
    stretches: list[_Stretch] = field(default_factory=list)


class Watch:
    """Follows the chunks of a lane from claim to end; shared by its threads."""

    def __init__(self, tracing: Tracing | None = None, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self.tracing = tracing or Tracing()
        self._under_way: dict[int, _UnderWay] = {}

    def of_another_lane(self) -> Watch:
        """Return one for another lane, with the same metrics."""
        return Watch(self.tracing, self.metrics)

    @contextmanager
    def stage(self, name: str, chunks: Sequence[Chunk] = ()) -> Iterator[None]:
        """Time a stage of the work, and add it to the spans of these chunks."""
        begun_ns, start = time.time_ns(), time.perf_counter()
        try:
            yield
        finally:
            took_s = time.perf_counter() - start
            self.metrics.stage.labels(name).observe(took_s)
            stretch = _Stretch(name, begun_ns, begun_ns + int(took_s * 1e9))
            for chunk in chunks:
                under_way = self._under_way.get(chunk.id)
                if under_way is not None:
                    under_way.stretches.append(stretch)

    def claimed(self, chunks: Sequence[Chunk]) -> None:
        """Start to follow chunks."""
        for chunk in chunks:
            self._under_way[chunk.id] = _UnderWay(time.time_ns())
            self.metrics.claims.labels("first" if chunk.attempts <= 1 else "again").inc()

    def settled(self, settlements: Sequence[Settlement], ours: Sequence[bool]) -> None:
        """Record chunks that were settled, or lost to another worker."""
        for settlement, is_ours in zip(settlements, ours, strict=True):
            chunk, failed = settlement.chunk, 0
            if not is_ours:
                self._end(
                    chunk, "lost", log.warning, error="the lease had expired, another worker has the chunk"
                )
                continue
            for outcome in map(_outcome, settlement.outcomes):
                self.metrics.items.labels(chunk.kind.value, outcome).inc()
                failed += outcome == "failed"
            self._end(chunk, "settled", log.info, failed=failed)

    def requeued(self, chunks: Sequence[Chunk], why: str) -> None:
        """Record chunks that were requeued and are not at fault."""
        for chunk in chunks:
            self._end(chunk, "requeued", log.info, error=why)

    def attempt_failed(self, chunks: Sequence[Chunk], error: Exception) -> None:
        """Record chunks whose processing failed."""
        why = f"{error.code if isinstance(error, ExemplarError) else type(error).__name__}: {error}"
        for chunk in chunks:
            self._end(chunk, "attempt_failed", log.error, error=why)

    def forget(self) -> None:
        """Forget all chunks: the run has ended."""
        self._under_way.clear()

    def _end(self, chunk: Chunk, outcome: str, write: Any, **more: Any) -> None:
        self.metrics.ends.labels(outcome).inc()
        under_way = self._under_way.pop(chunk.id, None)
        ended_ns = time.time_ns()
        begun_ns = ended_ns if under_way is None else under_way.begun_ns
        ms = round((ended_ns - begun_ns) / 1e6, 1)
        write(f"chunk_{outcome}", **about(chunk), items=len(chunk.items), ms=ms, **more)
        self._trace(chunk, outcome, under_way or _UnderWay(begun_ns), ended_ns, more.get("error"))

    def _trace(
        self, chunk: Chunk, outcome: str, under_way: _UnderWay, ended_ns: int, error: str | None
    ) -> None:
        attributes = {f"exemplar.{name}": value for name, value in about(chunk).items() if value is not None}
        span = self.tracing.begin(
            f"chunk {chunk.kind.value}",
            parent=None if chunk.origin is None else chunk.origin.traceparent,
            kind="consumer",
            at_ns=under_way.begun_ns,
            attributes={**attributes, "exemplar.outcome": outcome, "exemplar.items": len(chunk.items)},
        )
        for stretch in under_way.stretches:
            inner = self.tracing.begin(stretch.stage, parent=span.traceparent, at_ns=stretch.begun_ns)
            inner.end(at_ns=stretch.ended_ns)
        span.end(at_ns=ended_ns, error=error)


def about(chunk: Chunk) -> dict[str, Any]:
    """Return the log fields that identify a chunk: its ids, its request's and its key's."""
    origin = chunk.origin
    return {
        "request_id": None if origin is None else origin.request_id,
        "job": chunk.job_id,
        "chunk": chunk.id,
        "attempt": chunk.attempts,
        "key": None if origin is None else origin.key,
        "kind": chunk.kind.value,
        "collection": chunk.collection,
    }


def _outcome(outcome: Any) -> str:
    if isinstance(outcome, Enrolment):
        return "enrolled"
    if outcome["status"] == "failed":
        return "failed"
    return str(outcome.get("decision", "done"))
