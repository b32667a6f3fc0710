"""Settling: embedded chunks to results and supports in the record, depending on the kind of job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

import structlog

from core.errors import ExemplarError
from core.jobs import Chunk, JobKind, Lane
from core.results import Result, failed_result
from core.where import where_key
from encoders import Encoder
from index.replicas import ENCODER_CHANGED
from store.queue.wake_ups import Part
from store.work.settlement import Settlement
from worker.answering import answer
from worker.effect import effect
from worker.embedding import EmbeddedChunk
from worker.embeddings import embeddings
from worker.enrolling import enrolments
from worker.grouping import group_unknown
from worker.redeciding import redecide
from worker.reporting import report
from worker.texts import LABELS_UNREAD
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")

Maker = Callable[[Tools, Encoder, Sequence[EmbeddedChunk]], list[Settlement]]


def settle(tools: Tools, encoder: Encoder, chunks: Sequence[EmbeddedChunk]) -> int:
    """Answer and settle embedded chunks, enrolments first; return the number of items."""
    for make in dict.fromkeys(_MAKERS.values()):
        some = [pair for pair in chunks if _MAKERS[pair[0].kind] is make]
        for together in [[pair] for pair in some] if make is _one_by_one else [some]:
            made = [one for alike in _groups(together) for one in _made(tools, encoder, make, alike)]
            if made:
                _settle(tools, made)
    return sum(len(pictures) for _, pictures in chunks)


def _settle(tools: Tools, made: Sequence[Settlement]) -> None:
    with tools.watch.stage("settle", [settlement.chunk for settlement in made]):
        ours = tools.store.chunks.settle(tools.owner, made)
    tools.watch.settled(made, ours)
    tools.activity.moved()
    if any(settlement.chunk.smooth for settlement in made):
        tools.store.wake_ups.send_to(Part.SMOOTHING)
    if any(settlement.chunk.kind is JobKind.REINDEX for settlement in made):
        tools.store.wake_ups.send_to(Part.SOURCES)  # there is room for more supports


def _groups(chunks: Sequence[EmbeddedChunk]) -> Iterator[list[EmbeddedChunk]]:
    """Group chunks with equal options."""

    def alike(pair: EmbeddedChunk) -> tuple[int, str, int, bool, int, str]:
        chunk = pair[0]
        version = chunk.options.get("version", -1)  # as of which it is to be answered
        where = "" if chunk.where is None else where_key(chunk.where)
        return chunk.collection_id or 0, chunk.kind.value, chunk.top, chunk.smooth, version, where

    for _, group in groupby(sorted(chunks, key=alike), key=alike):
        yield list(group)


def _made(
    tools: Tools, encoder: Encoder, make: Maker, alike: Sequence[EmbeddedChunk]
) -> Sequence[Settlement]:
    """Return the settlements of chunks with equal options; empty if they are requeued."""
    try:
        return make(tools, encoder, alike)
    except ExemplarError as error:
        chunks = [chunk for chunk, _ in alike]
        if error.code == ENCODER_CHANGED:
            _requeue_for_encoder(tools, chunks)
        elif error.code == LABELS_UNREAD:  # other collections need not wait for them
            log.info(error.code, collection=chunks[0].collection_id, error=error.message)
            tools.store.chunks.requeue(tools.owner, chunks)
            tools.watch.requeued(chunks, error.code)
        else:
            raise
        return ()


def _one_by_one(tools: Tools, encoder: Encoder, chunks: Sequence[EmbeddedChunk]) -> list[Settlement]:
    return [_one(tools, encoder, chunk) for chunk, _ in chunks]


def _one(tools: Tools, encoder: Encoder, chunk: Chunk) -> Settlement:
    """Settle a chunk that takes long, and has no pictures.

    Raises `encoder_changed`, and errors to be retried later, such as `labels_unread`.
    """
    try:
        return Settlement(chunk, _RESULTS[chunk.kind](tools, encoder, chunk))
    except ExemplarError as error:
        if error.retry or error.code == ENCODER_CHANGED:
            raise
        return Settlement(chunk, [failed_result(item, error) for item in chunk.items])


_RESULTS: Mapping[JobKind, Callable[[Tools, Encoder, Chunk], list[Result]]] = {
    JobKind.REPORT: report,
    JobKind.COMPARE: report,
    JobKind.REDECIDE: redecide,
    JobKind.GROUP: group_unknown,
    JobKind.EFFECT: effect,
}

_MAKERS: Mapping[JobKind, Maker] = {
    JobKind.ENROLL: enrolments,
    JobKind.REINDEX: enrolments,
    JobKind.CHECK: enrolments,
    JobKind.CLASSIFY: answer,
    JobKind.SEARCH: answer,
    JobKind.EMBED: embeddings,
    **dict.fromkeys(_RESULTS, _one_by_one),
}
"""The functions that settle each kind, in this order: searches find what the enrolments before them added."""


def _requeue_for_encoder(tools: Tools, chunks: Sequence[Chunk]) -> None:
    """Requeue chunks for the encoder that their collection has changed to."""
    tools.watch.requeued(chunks, ENCODER_CHANGED)
    for spec in tools.store.chunks.requeue_for_encoder(tools.owner, chunks):
        log.info(ENCODER_CHANGED, encoder=spec, chunks=len(chunks))
        for lane in Lane:
            tools.store.wake_ups.send(lane, spec)
