"""Indexes of earlier versions, built from the vectors that a replica has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from core.changes import Past
from core.vectors import Vector
from index.content import Content
from index.replica import Replica
from index.snapshot import restore


def past_replica(live: Replica, past: Past, read: Callable[[Sequence[int]], Mapping[int, Vector]]) -> Replica:
    """Return a replica of an earlier version.

    Vectors are those of the live replica; `read` returns those of supports deleted since, and one without
    is left out.
    """
    ids = np.fromiter(past.supports.keys(), np.int64, len(past.supports))
    owners = np.fromiter(past.supports.values(), np.int64, len(ids))
    vectors = np.empty((len(ids), live.dim), np.float32)
    with live.lock:
        rows = live.rows_of(ids)
        there = rows >= 0
        vectors[there] = live.vectors_at(rows[there])
    places = np.flatnonzero(~there)
    found = read(ids[places].tolist()) if len(places) else {}
    for place in places:
        vector = found.get(int(ids[place]))
        if vector is not None:
            vectors[place], there[place] = vector, True
    if not there.all():
        ids, owners, vectors = ids[there], owners[there], vectors[there]
    return restore(Content(past.version, past.epoch, ids, owners, vectors, past.classes))
