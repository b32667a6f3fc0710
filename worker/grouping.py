"""Grouping: the items of a job that have no label, in groups of similar pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.jobs import Chunk, Item
from core.results import Result, done_result, is_answer
from core.vectors import Vector, Vectors
from encoders import Encoder
from index.groups import Group, find_groups
from worker.tools import Tools

MOST_ITEMS = 20_000  # that are grouped, the first of the job: their vectors take 100 MB at 1,280 components
PAGE = 500


def group_unknown(tools: Tools, _: Encoder, chunk: Chunk) -> list[Result]:
    """Group the items without a label of the job that a chunk is about; each group is a result."""
    with tools.watch.stage("group", [chunk]):
        return _results(tools, chunk)


def _results(tools: Tools, chunk: Chunk) -> list[Result]:
    items, vectors, means, weights = list[int](), list[Vector](), list[Vector](), list[int]()
    for unknown, kept in _pages(tools, chunk):
        tools.activity.moved()
        if kept:
            means.append(np.mean(list(kept.values()), axis=0))
            weights.append(len(kept))
        fitting = [item for item in unknown if item in kept][: MOST_ITEMS - len(items)]
        items += fitting
        vectors += [kept[item] for item in fitting]
    if not items:
        return []
    mean = np.average(means, axis=0, weights=weights).astype(np.float32)
    matrix: Vectors = np.stack(vectors)
    found = find_groups(matrix, mean, most=chunk.options["max_groups"])
    return [_result(number, group, items) for number, group in enumerate(found)]


def _pages(tools: Tools, chunk: Chunk) -> Iterator[tuple[list[int], dict[int, Vector]]]:
    """Yield items without a label, and the vectors of all items, page by page."""
    store, job = tools.store, chunk.target
    there = store.item_vectors.encoders(job)
    encoder = chunk.encoder if chunk.encoder in there else next(iter(there), "")
    for page in store.jobs.result_pages(job, limit=PAGE):
        if page:
            answers = [one for one in page if is_answer(one) and not one["reviewed"]]
            unknown = [one["item"] for one in answers if one["final_label"] is None]
            yield unknown, store.item_vectors.between(job, page[0]["item"], page[-1]["item"] + 1, encoder)


def _result(number: int, group: Group, items: list[int]) -> Result:
    made = {
        "items": [items[place] for place in group.members],
        "size": len(group.members),
        "tightness": round(group.tightness, 4),
        "representative": items[group.members[0]],
        "suggested": [items[place] for place in group.suggested],
    }
    return done_result(Item(number), made)
