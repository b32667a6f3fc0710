"""Settling: embedded chunks -> results and supports in the record, by what their jobs ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import structlog

from core.errors import ExemplarError
from core.types import Chunk, JobKind, Lane
from encoders import Encoder
from index.replicas import ENCODER_CHANGED
from store.work.settlement import Settlement
from worker.answering import answer
from worker.embedding import EmbeddedChunk
from worker.embeddings import embeddings
from worker.enrolling import enrolments
from worker.reporting import report
from worker.texts import LABELS_UNREAD
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")


def settle(tools: Tools, encoder: Encoder, chunks: Sequence[EmbeddedChunk]) -> int:
    """Answer and settle embedded chunks, enrolments first; return how many items that were."""
    for settled_together in _stages(chunks):
        made = [
            settlement
            for alike in _groups(settled_together)
            for settlement in _settlements(tools, encoder, alike)
        ]
        if made:
            with tools.watch.stage("settle", [settlement.chunk for settlement in made]):
                ours = tools.store.chunks.settle(tools.owner, made)
            tools.watch.settled(made, ours)
            tools.activity.moved()
    return sum(len(pictures) for _, pictures in chunks)


def _stages(chunks: Sequence[EmbeddedChunk]) -> Iterator[Sequence[EmbeddedChunk]]:
    """Yield what is settled in one transaction; reports take long, so each is settled alone."""
    for kinds in (
        {JobKind.ENROLL, JobKind.REINDEX},
        {JobKind.CLASSIFY, JobKind.SEARCH},
        {JobKind.EMBED},
    ):
        yield [pair for pair in chunks if pair[0].kind in kinds]
    for pair in chunks:
        if pair[0].kind in (JobKind.REPORT, JobKind.COMPARE):
            yield [pair]


def _groups(chunks: Sequence[EmbeddedChunk]) -> Iterator[list[EmbeddedChunk]]:
    """Part chunks into those that are asked alike."""

    def alike(pair: EmbeddedChunk) -> tuple[int, str, int, bool]:
        return pair[0].collection_id or 0, pair[0].kind.value, pair[0].top, pair[0].smooth

    for _, group in groupby(sorted(chunks, key=alike), key=alike):
        yield list(group)


def _settlements(tools: Tools, encoder: Encoder, alike: Sequence[EmbeddedChunk]) -> list[Settlement]:
    """Return what becomes of chunks that are asked alike; none where they are queued again."""
    try:
        return _work(tools, encoder, alike)
    except ExemplarError as error:
        chunks = [chunk for chunk, _ in alike]
        if error.code == ENCODER_CHANGED:
            _requeue_for_encoder(tools, chunks)
        elif error.code == LABELS_UNREAD:  # other collections need not wait for them
            log.info(error.code, collection=chunks[0].collection_id, error=error.message)
            tools.store.chunks.release(tools.owner, chunks)
            tools.watch.released(chunks, error.code)
        else:
            raise
        return []


def _work(tools: Tools, encoder: Encoder, alike: Sequence[EmbeddedChunk]) -> list[Settlement]:
    match alike[0][0].kind:
        case JobKind.ENROLL | JobKind.REINDEX:
            return [enrolments(pair) for pair in alike]
        case JobKind.EMBED:
            return embeddings(encoder, alike)
        case JobKind.REPORT | JobKind.COMPARE:
            return [report(tools, encoder, chunk) for chunk, _ in alike]
        case _:
            return answer(tools, encoder, alike)


def _requeue_for_encoder(tools: Tools, chunks: Sequence[Chunk]) -> None:
    """Queue chunks for the encoder that their collection has changed to."""
    tools.watch.released(chunks, ENCODER_CHANGED)
    for spec in tools.store.chunks.reroute(tools.owner, chunks):
        log.info(ENCODER_CHANGED, encoder=spec, chunks=len(chunks))
        for lane in Lane:
            tools.store.turns.hint(lane, spec)
