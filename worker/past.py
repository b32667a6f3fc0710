"""Earlier versions of indexes, of which a worker keeps the ones that were last asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from functools import partial

from core.collections import Collection
from core.errors import ExemplarError
from index.past import past_replica
from index.replica import Replica
from index.replicas import ENCODER_CHANGED, AnyReplica
from store.record.history import History

MOST = 2
LARGE = 100_000  # supports of an index that is kept alone

_Key = tuple[int, int, float, int]
"""Collection, version, epoch, and the last version that erased something."""


class PastReplicas:
    """Replicas of earlier versions; they never take the place of the live ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, Replica] = OrderedDict()
        self._lock = threading.Lock()

    def at(
        self, history: History, live: AnyReplica, collection: Collection, version: int
    ) -> tuple[Replica, Collection]:
        """Return the replica of a version, and the collection with its rule.

        Raises `version_gone`, `index_unsupported` for vectors in Milvus, and `encoder_changed` as the live
        replica does.
        """
        if not isinstance(live, Replica):
            raise ExemplarError("index_unsupported", "expected an index in memory to answer as of a version")
        rule, erased = history.rule(collection.id, version)
        key = (collection.id, version, live.epoch, erased)
        with self._lock:
            found = self._kept.pop(key, None)
            if found is None:
                self._make_room()
                found = self._build(history, live, collection.id, version)
            self._kept[key] = found
        return found, replace(collection, rule=rule, version=version)

    def forget(self) -> None:
        """Forget all: some may hold what was erased."""
        with self._lock:
            self._kept.clear()

    def _make_room(self) -> None:
        while self._kept and (len(self._kept) >= MOST or len(next(iter(self._kept.values()))) > LARGE):
            self._kept.popitem(last=False)

    def _build(self, history: History, live: Replica, collection_id: int, version: int) -> Replica:
        past = history.past(collection_id, version)
        if live.version > 0 and past.epoch != live.epoch:  # before a first change it is not known
            raise ExemplarError(ENCODER_CHANGED, "the collection answers with another encoder now")
        return past_replica(live, past, partial(history.vectors, collection_id))
