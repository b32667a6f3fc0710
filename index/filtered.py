"""Replicas of the supports whose metadata match a filter, for searches among these alone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from core.changes import Changes
from core.errors import ExemplarError
from core.where import Where, where_key
from index.replica import Replica
from index.replicas import ENCODER_CHANGED

FilteredFeed = Callable[[int, int, Where], Changes | None]
"""(collection id, version, filter) -> changes after that version, where a support that no longer matches
looks deleted; None if the collection is gone."""

MOST_FILTERS = 8
MOST_SUPPORTS = 250_000  # in all filters of a process: 500 MB at 512 components


@dataclass(slots=True)
class _Open:
    replica: Replica
    following: threading.Lock = field(default_factory=threading.Lock)


class FilteredReplicas:
    """Opens a replica per collection and filter, and keeps those used last.

    Each follows the record by itself, so an answer's version is that of the metadata, too. They are exact,
    in memory, and read from SQL when a filter is first used.
    """

    def __init__(self, feed: FilteredFeed) -> None:
        self._feed = feed
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[int, str], _Open] = OrderedDict()

    def current(self, collection_id: int, dim: int, where: Where, *, encoder: str | None) -> Replica | None:
        """Return a replica with every change committed before this call; None if the collection was deleted.

        Classes without a matching support are no candidates, not even by their names. Raises
        `encoder_changed` if the collection no longer answers with the named encoder.
        """
        key = collection_id, where_key(where)
        with self._lock:
            found = self._open.setdefault(key, _Open(Replica(dim, by_name=False)))
            self._open.move_to_end(key)
        with found.following:
            if found.replica.dim != dim:  # it is of an encoder that went since
                found.replica = Replica(dim, by_name=False)
            replica = self._follow(collection_id, where, found, encoder)
        self._drop_oldest(key)
        return replica

    def _follow(self, collection_id: int, where: Where, found: _Open, encoder: str | None) -> Replica | None:
        while True:
            replica = found.replica
            changes = self._feed(collection_id, replica.version, where)
            if changes is None:
                return None
            if encoder not in (None, changes.encoder):
                raise ExemplarError(ENCODER_CHANGED, f"the collection now answers with {changes.encoder}")
            is_other = changes.version < replica.version or changes.epoch != replica.epoch
            if replica.version > 0 and is_other:  # of another record or encoder
                found.replica = Replica(replica.dim, by_name=False)
                continue
            if changes.version != replica.version:
                # a time limit may interrupt an update: the replica is then built again
                found.replica = Replica(replica.dim, by_name=False)
                replica.apply(changes)
            found.replica = replica
            if not changes.more and replica.version == changes.version:
                return replica

    def _drop_oldest(self, but: tuple[int, str]) -> None:
        with self._lock:
            while self._is_too_much():
                oldest = next(iter(self._open))
                if oldest == but:
                    return
                del self._open[oldest]

    def _is_too_much(self) -> bool:
        held = sum(len(one.replica) for one in self._open.values())
        return len(self._open) > MOST_FILTERS or (held > MOST_SUPPORTS and len(self._open) > 1)
