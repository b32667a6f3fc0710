"""One turn: claim what waits, work on it, and go on until nothing waits or the time is up."""

from __future__ import annotations

import time
from concurrent.futures import Future

import structlog

from core.errors import ExemplarError
from encoders import Encoder
from worker.load import LoadedChunk, load
from worker.tools import Tools
from worker.work import work

log = structlog.get_logger("exemplar.worker")


def take_turn(tools: Tools, spec: str) -> int:
    """Work for one encoder for a few seconds; return how many items were settled.

    While one batch is in the encoder, the next is claimed and decoded.
    """
    encoder = tools.encoders[spec]
    until = time.monotonic() + tools.settings.turn_s
    items = 0
    ahead: Future[list[LoadedChunk]] | None = tools.loader.submit(load, tools, encoder)
    while ahead is not None:
        chunks = ahead.result()
        if not chunks:
            return items
        ahead = tools.loader.submit(load, tools, encoder) if time.monotonic() < until else None
        items += _work(tools, encoder, chunks)
    for lane in tools.lanes:  # work may be left; whoever is free next goes on with it
        tools.store.turns.hint(lane, spec)
    return items


def _work(tools: Tools, encoder: Encoder, chunks: list[LoadedChunk]) -> int:
    try:
        return work(tools, encoder, chunks)
    except Exception as error:  # the boundary of the work: whatever went wrong, the chunks must go on
        reason = f"{type(error).__name__}: {error}"[:500]
        log.exception("work_failed", chunks=[loaded.chunk.id for loaded in chunks])
        tools.store.chunks.hand_back(tools.owner, [loaded.chunk for loaded in chunks], reason)
        if isinstance(error, ExemplarError):
            time.sleep(0.5)  # the record or the blobs did not answer; they need a moment
        return 0
