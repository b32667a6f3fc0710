"""The pipeline: claim queued work, process it, and repeat until the queue is empty or the time is up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

import structlog

from core.errors import ExemplarError
from core.jobs import Chunk
from encoders import Encoder
from worker.embedding import EmbeddedChunk, embed
from worker.load import LoadedChunk, load
from worker.settling import settle
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")

PAUSE_S = 0.5  # after the record or the blobs did not answer


def run_pipeline(tools: Tools, spec: str) -> int:
    """Process one encoder's work for a few seconds; return how many items were settled.

    While one batch is in the encoder, the next is claimed and decoded, and the previous one is answered and
    settled.
    """
    with tools.activity.run(tools.name) as owner:
        pipeline = _Pipeline(replace(tools, owner=owner), tools.encoders[spec])
        try:
            return pipeline.run()
        finally:
            pipeline.await_settled()  # the leases end with the run
            tools.watch.forget()


class _Pipeline:
    """One run: a batch is loaded ahead of the encoder, and one is settled behind it."""

    def __init__(self, tools: Tools, encoder: Encoder) -> None:
        self._tools = tools
        self._encoder = encoder
        self._settled: Future[int] | None = None
        self._items = 0

    def run(self) -> int:
        tools, encoder = self._tools, self._encoder
        until = time.monotonic() + tools.settings.claim_s
        ahead: Future[list[LoadedChunk]] | None = tools.loader.submit(_next, tools, encoder)
        while ahead is not None:
            chunks = ahead.result()
            if not chunks:
                self.await_settled()
                return self._items
            if tools.activity.is_stopping:
                _requeue(tools, [loaded.chunk for loaded in chunks], "this worker is stopping")
                break
            ahead = tools.loader.submit(_next, tools, encoder) if time.monotonic() < until else None
            self._work(chunks)
        self.await_settled()
        for lane in tools.lanes:  # work may be left for any worker
            tools.store.wake_ups.send(lane, encoder.spec)
        return self._items

    def await_settled(self) -> None:
        """Wait until nothing is being settled."""
        if self._settled is not None:
            self._items += self._settled.result()
            self._settled = None

    def _work(self, chunks: Sequence[LoadedChunk]) -> None:
        tools, encoder = self._tools, self._encoder
        try:
            embedded = embed(tools, encoder, chunks)
        except Exception as error:  # the boundary of processing: the chunks must be released after any error
            _fail_attempt(tools, [loaded.chunk for loaded in chunks], error)
            return
        self.await_settled()  # at most one batch behind the encoder, which bounds memory and keeps the order
        self._settled = tools.settler.submit(_settle, tools, encoder, embedded)


def _next(tools: Tools, encoder: Encoder) -> list[LoadedChunk]:
    """Claim enough to fill one batch of the encoder and decode it; empty if nothing is queued."""
    while claimed := tools.store.chunks.claim(tools.owner, encoder.spec, tools.lanes, encoder.batch_size):
        loaded = _load(tools, encoder, claimed)
        if loaded is None:
            break
        if loaded:
            return loaded
    return []


def _load(tools: Tools, encoder: Encoder, claimed: Sequence[Chunk]) -> list[LoadedChunk] | None:
    """Decode claimed chunks; empty if all of them were deferred, None if that failed."""
    tools.watch.claimed(claimed)
    tools.activity.moved()
    try:
        with tools.watch.stage("load", claimed):
            return load(tools, encoder, claimed)
    except Exception as error:  # the boundary of loading: the chunks must be released after any error
        _fail_attempt(tools, claimed, error)
        return None


def _settle(tools: Tools, encoder: Encoder, chunks: Sequence[EmbeddedChunk]) -> int:
    try:
        return settle(tools, encoder, chunks)
    except Exception as error:  # the boundary of processing: the chunks must be released after any error
        _fail_attempt(tools, [chunk for chunk, _ in chunks], error)
        return 0


def _fail_attempt(tools: Tools, chunks: Sequence[Chunk], error: Exception) -> None:
    log.error("work_failed", chunks=[chunk.id for chunk in chunks], exc_info=error)
    if isinstance(error, ExemplarError) and error.retry:
        time.sleep(PAUSE_S)
        _requeue(tools, chunks, f"{error.code}: {error.message}")
    else:
        tools.store.chunks.fail_attempt(tools.owner, chunks, f"{type(error).__name__}: {error}"[:500])
        tools.watch.attempt_failed(chunks, error)


def _requeue(tools: Tools, chunks: Sequence[Chunk], why: str) -> None:
    tools.store.chunks.requeue(tools.owner, chunks)
    tools.watch.requeued(chunks, why)
