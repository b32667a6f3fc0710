"""The effect of contributions: leave-one-out accuracy with and without them, on a copy of the replica."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.collections import Labels
from core.errors import ExemplarError
from core.jobs import Chunk
from core.label_sets import unsupported
from core.report import Effect
from encoders import Encoder
from index.effect import Added, effect_of
from index.replica import Replica
from store.record.contributions import Which
from worker.current import current_replica
from worker.tools import Tools

OPTION = "effect_of"


def effect(tools: Tools, encoder: Encoder, chunk: Chunk) -> Effect:
    """Judge a collection with and without the contributions that a chunk names."""
    replica, collection = current_replica(tools, encoder, chunk)
    if collection.labels is Labels.MANY:
        raise unsupported("effect", "accept contributions by what you see")
    if not isinstance(replica, Replica):
        raise ExemplarError("index_unsupported", "expected an index in memory to judge contributions")
    given = tools.store.quarantine.vectors(collection.id, _which(chunk.options[OPTION]), encoder.spec)
    vectors = np.stack([vector for *_, vector in given]) if given else np.empty((0, replica.dim), np.float32)
    added = Added([id_ for id_, *_ in given], [label for _, label, _ in given], vectors)
    return effect_of(replica, collection.rule, added)


def _which(options: Mapping[str, Any]) -> Which:
    return Which(key=options["key"], label=options["label"])
