"""The effect of checked pictures: how the answers about the supports would change if they were enrolled."""

from __future__ import annotations

import numpy as np

from core.collections import Labels
from core.errors import ExemplarError
from core.jobs import Chunk
from core.results import Result, done_result
from core.vectors import Vector
from encoders import Encoder
from index.decide_many import in_memory
from index.effect import Added, effect_of
from worker.current import current_replica
from worker.tools import Tools

MOST_ITEMS = 20_000  # of a check that are added, the first ones
PAGE = 500


def effect(tools: Tools, encoder: Encoder, chunk: Chunk) -> list[Result]:
    """Tell the effect of the check that a chunk is about."""
    with tools.watch.stage("group", [chunk]):
        return [done_result(chunk.items[0], {"effect": _effect(tools, encoder, chunk)})]


def _effect(tools: Tools, encoder: Encoder, chunk: Chunk) -> Result:
    replica, collection = current_replica(tools, encoder, chunk)
    if collection.labels is Labels.MANY:
        raise ExemplarError("labels_unsupported", "expected a collection whose pictures have one label")
    here = in_memory(replica)
    items, labels, vectors = list[int](), list[str](), list[Vector]()
    for page in tools.store.jobs.result_pages(chunk.target, limit=PAGE):
        if not page:
            continue
        first, end = page[0]["item"], page[-1]["item"] + 1
        kept = tools.store.item_vectors.between(chunk.target, first, end, chunk.encoder)
        tools.activity.moved()
        for result in page:
            if result["status"] == "done" and result["item"] in kept and len(labels) < MOST_ITEMS:
                items.append(result["item"])
                labels.append(result["label"])
                vectors.append(kept[result["item"]])
    added = np.stack(vectors) if vectors else np.empty((0, here.dim), np.float32)
    return effect_of(here, collection.rule, Added(items, labels, added)).model_dump(mode="json")
