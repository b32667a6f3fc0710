"""Redeciding: answers from kept vectors, with the index as it is now and without the encoder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.answers import as_json
from core.collections import Views
from core.jobs import Chunk
from core.results import Result
from core.vectors import Vector, Vectors
from encoders import Encoder
from worker.current import current_replica
from worker.deciding import Queries, decide
from worker.external_ids import external_ids, with_external_ids
from worker.tools import Tools


def redecide(tools: Tools, encoder: Encoder, chunk: Chunk) -> list[Result]:
    """Answer the items of a chunk again, those whose vector is kept."""
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
    with tools.watch.stage("search", [chunk]):
        answers = _answers(tools, encoder, chunk, list(kept.values()))
        if "against" in chunk.options:  # two versions are compared
            other = replace(chunk, options={**chunk.options, "version": chunk.options["against"]})
            against = _answers(tools, encoder, other, list(kept.values()))
    made = dict(zip(kept, answers, strict=True))
    before = None if against is None else dict(zip(kept, against, strict=True))
    return [
        {
            "item": item.index,
            "status": "done",
            "answer": made.get(item.index),
            **({} if before is None else {"against": before.get(item.index)}),
        }
        for item in chunk.items
    ]


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
