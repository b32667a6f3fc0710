"""Redeciding: answers from kept vectors, with the index as it is now and without the encoder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.answers import as_json
from core.errors import ExemplarError
from core.results import Result, failed_result
from core.types import Chunk, Views
from core.vectors import Vector, Vectors
from encoders import Encoder
from index.replicas import ENCODER_CHANGED
from store.work.settlement import Settlement
from worker.current import current_replica
from worker.deciding import Queries, decide
from worker.external_ids import external_ids, with_external_ids
from worker.tools import Tools


def redecide(tools: Tools, encoder: Encoder, chunk: Chunk) -> Settlement:
    """Answer the items of a chunk again, those whose vector is kept.

    Raises `encoder_changed`, and errors to be retried later, such as `labels_unread`.
    """
    first, end = chunk.items[0].index, chunk.items[-1].index + 1
    vectors = tools.store.item_vectors
    kept: Mapping[int, tuple[Vector, Vectors | None]] = (
        vectors.tiles_between(chunk.target, first, end, chunk.encoder)
        if chunk.views is Views.TILES
        else {
            item: (one, None)
            for item, one in vectors.between(chunk.target, first, end, chunk.encoder).items()
        }
    )
    against: Sequence[Result] | None = None
    try:
        with tools.watch.stage("search", [chunk]):
            answers = _answers(tools, encoder, chunk, list(kept.values()))
            if "against" in chunk.options:  # two versions are compared
                other = replace(chunk, options={**chunk.options, "version": chunk.options["against"]})
                against = _answers(tools, encoder, other, list(kept.values()))
    except ExemplarError as error:
        if error.retry or error.code == ENCODER_CHANGED:
            raise
        return Settlement(chunk, [failed_result(item, error) for item in chunk.items])
    made = dict(zip(kept, answers, strict=True))
    before = None if against is None else dict(zip(kept, against, strict=True))
    return Settlement(
        chunk,
        [
            {
                "item": item.index,
                "status": "done",
                "answer": made.get(item.index),
                **({} if before is None else {"against": before.get(item.index)}),
            }
            for item in chunk.items
        ],
    )


def _answers(
    tools: Tools, encoder: Encoder, chunk: Chunk, vectors: Sequence[tuple[Vector, Vectors | None]]
) -> list[Result]:
    replica, collection = current_replica(tools, encoder, chunk)
    if not vectors:
        return []
    start = time.perf_counter()
    queries = Queries.of(*zip(*vectors, strict=True))
    answers = decide(tools, encoder, replica, collection, queries, top=chunk.top)
    timing = {"search": round((time.perf_counter() - start) * 1000, 2)}
    names = external_ids(tools.store.supports, answers)
    return [
        with_external_ids({**as_json(answer), "encoder": chunk.encoder, "timing_ms": timing}, names)
        for answer in answers
    ]
