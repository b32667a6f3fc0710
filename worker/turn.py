"""One turn: claim what waits, work on it, and go on until nothing waits or the time is up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

import structlog

from core.errors import ExemplarError
from core.types import Chunk
from encoders import Encoder
from worker.load import LoadedChunk, load
from worker.tools import Tools
from worker.work import work

log = structlog.get_logger("exemplar.worker")

PAUSE_S = 0.5  # for a record or blobs that did not answer


def take_turn(tools: Tools, spec: str) -> int:
    """Work for one encoder for a few seconds; return how many items were settled.

    While one batch is in the encoder, the next is claimed and decoded.
    """
    with tools.activity.turn(tools.name) as owner:
        return _take_turn(replace(tools, owner=owner), tools.encoders[spec])


def _take_turn(tools: Tools, encoder: Encoder) -> int:
    until = time.monotonic() + tools.settings.turn_s
    items = 0
    ahead: Future[list[LoadedChunk]] | None = tools.loader.submit(_next, tools, encoder)
    while ahead is not None:
        chunks = ahead.result()
        if not chunks:
            return items
        ahead = tools.loader.submit(_next, tools, encoder) if time.monotonic() < until else None
        items += _work(tools, encoder, chunks)
    for lane in tools.lanes:  # work may be left; whoever is free next goes on with it
        tools.store.turns.hint(lane, encoder.spec)
    return items


def _next(tools: Tools, encoder: Encoder) -> list[LoadedChunk]:
    """Claim what fills one batch of the encoder and decode it; empty where nothing waits."""
    claimed = tools.store.chunks.claim(tools.owner, encoder.spec, tools.lanes, encoder.batch_size)
    try:
        return load(tools, encoder, claimed)
    except Exception as error:  # the boundary of the loading: the chunks must go on
        _hand_back(tools, claimed, error)
        return []


def _work(tools: Tools, encoder: Encoder, chunks: list[LoadedChunk]) -> int:
    try:
        return work(tools, encoder, chunks)
    except Exception as error:  # the boundary of the work: whatever went wrong, the chunks must go on
        _hand_back(tools, [loaded.chunk for loaded in chunks], error)
        return 0


def _hand_back(tools: Tools, chunks: Sequence[Chunk], error: Exception) -> None:
    log.error("work_failed", chunks=[chunk.id for chunk in chunks], exc_info=error)
    if isinstance(error, ExemplarError) and error.retry:
        time.sleep(PAUSE_S)
        tools.store.chunks.release(tools.owner, chunks)
    else:
        tools.store.chunks.hand_back(tools.owner, chunks, f"{type(error).__name__}: {error}"[:500])
