"""Answering: embedded pictures to answers or neighbours, with one search for chunks of equal options."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.answers import Answer, Found, ManyAnswer, as_json
from core.changes import ClassChange
from core.errors import ExemplarError
from core.jobs import Chunk
from core.results import Result, done_result, failed_result
from encoders import Encoder
from index.decide import search
from index.replicas import ENCODER_CHANGED
from store.blobs import uploads_of
from store.work.item_vectors import PackedVectors, pack_items
from store.work.kinds import KINDS
from store.work.settlement import Settlement
from worker.current import current_replica
from worker.deciding import Queries, decide
from worker.embedding import Embedded, EmbeddedChunk
from worker.embeddings import with_texts
from worker.external_ids import external_ids, with_external_ids
from worker.smoothing_inputs import BEST, keep, pack
from worker.tools import Tools

Said = Answer | ManyAnswer | Found | ExemplarError


@dataclass(frozen=True, slots=True)
class _Searched:
    """The result of one search for each vector, and what it was computed with."""

    said: Sequence[Said]
    version: int = 0
    classes: Mapping[int, ClassChange] = field(default_factory=dict)
    certainty: float = 0.0


def answer(tools: Tools, encoder: Encoder, chunks: Sequence[EmbeddedChunk]) -> list[Settlement]:
    """Answer chunks that agree in collection, kind, `top` and `smooth`.

    Raises `encoder_changed`, and errors to be retried later, such as `labels_unread`.
    """
    chunks = with_texts(encoder, chunks)
    queries = _queries([picture for _, pictures in chunks for picture in pictures])
    start = time.perf_counter()
    with tools.watch.stage("search", [chunk for chunk, _ in chunks]):
        searched = _search(tools, encoder, chunks[0][0], queries)
    search_ms = (time.perf_counter() - start) * 1000
    names = external_ids(tools.store.supports, searched.said)
    said = iter(searched.said)
    settlements = []
    for chunk, pictures in chunks:
        behind = _behind(chunk, searched.version)
        answered: list[tuple[Embedded, Said]] = []
        for picture in pictures:
            one = picture.made if isinstance(picture.made, ExemplarError) else next(said)
            answered.append((picture, one if isinstance(one, ExemplarError) or behind is None else behind))
        results = [
            with_external_ids(_result(chunk, encoder.spec, picture, one, search_ms), names)
            for picture, one in answered
        ]
        settlements.append(
            Settlement(
                chunk,
                results,
                _keep(tools, encoder, chunk, answered, searched),
                _vectors(answered) if tools.settings.keep_vectors else None,
            )
        )
    return settlements


def _queries(pictures: Sequence[Embedded]) -> Queries | None:
    """Return the vectors of the pictures that have one; None if none has."""
    there = [(one.made, one.crops) for one in pictures if not isinstance(one.made, ExemplarError)]
    return Queries.of(*zip(*there, strict=True)) if there else None


def _search(tools: Tools, encoder: Encoder, chunk: Chunk, queries: Queries | None) -> _Searched:
    try:
        replica, collection = current_replica(tools, encoder, chunk)
        if queries is None:
            return _Searched((), replica.version)
        if not KINDS[chunk.kind].decides:
            lines, version = search(replica, queries.wholes, top=chunk.top)
            return _Searched([Found(line, version) for line in lines], version)
        top = max(chunk.top, BEST) if chunk.smooth else chunk.top
        answers = decide(tools, encoder, replica, collection, queries, top=top)
        return _Searched(answers, answers[0].index_version, replica.classes, collection.rule.certainty)
    except ExemplarError as error:
        if error.retry or error.code == ENCODER_CHANGED:
            raise
        return _Searched([] if queries is None else [error] * len(queries.wholes))


def _keep(
    tools: Tools,
    encoder: Encoder,
    chunk: Chunk,
    answered: Sequence[tuple[Embedded, Said]],
    searched: _Searched,
) -> str | None:
    """Store the smoothing inputs of a chunk and return the name of their blob; None if it is not smoothed."""
    done = [(picture, one) for picture, one in answered if isinstance(one, Answer)]
    if not chunk.smooth or not done:
        return None
    if chunk.items[0].index >= tools.settings.smooth_max_items:
        return None  # a job of so many items is not smoothed
    inputs = keep(
        [picture.loaded.item.index for picture, _ in done],
        np.stack([picture.made for picture, _ in done if not isinstance(picture.made, ExemplarError)]),
        [one for _, one in done],
        searched.classes,
        searched.certainty,
        encoder=encoder.spec,
    )
    return tools.store.blobs.put(uploads_of(chunk.job_id), pack(inputs))


def _vectors(answered: Sequence[tuple[Embedded, Said]]) -> PackedVectors | None:
    """Return the vectors that the items of a chunk were answered with, packed; None without a decision."""
    decided = [picture if isinstance(one, Answer | ManyAnswer) else None for picture, one in answered]
    return pack_items(
        [None if one is None or isinstance(one.made, ExemplarError) else one.made for one in decided],
        [None if one is None else one.crops for one in decided],
    )


def _result(chunk: Chunk, encoder: str, picture: Embedded, said: Said, search_ms: float) -> Result:
    item = picture.loaded.item
    if isinstance(said, ExemplarError):
        return failed_result(item, said)
    timing = {"decode": picture.loaded.decode_ms, "embed": picture.embed_ms, "search": search_ms}
    return done_result(
        item,
        {
            **as_json(said.first(chunk.top)),
            **({"smoothed": False} if chunk.smooth else {}),
            "encoder": encoder,
            "timing_ms": {stage: round(ms, 2) for stage, ms in timing.items()},
        },
    )


def _behind(chunk: Chunk, version: int) -> ExemplarError | None:
    if version >= chunk.min_version:
        return None
    return ExemplarError(
        "min_version_ahead",
        f"expected min_version of at most {version}, the index's version, got {chunk.min_version}",
    )
