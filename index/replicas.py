"""The replicas of one worker process, each brought up to date before it is searched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.changes import Changes
from core.errors import ExemplarError
from index import snapshot
from index.replica import Replica, gpu_is_here

Feed = Callable[[int, int], Changes | None]
"""(collection id, version) -> what changed after that version; None where the collection is gone."""

ENCODER_CHANGED = "encoder_changed"
SAVE_AFTER = 5_000  # changes; reading as many rows again takes about a tenth of a second


class Replicas:
    """Opens, follows and saves replicas; the record behind `feed` is the truth."""

    def __init__(self, feed: Feed, folder: Path, *, gpu: bool | None = None) -> None:
        self._feed = feed
        self._folder = folder
        self._gpu = gpu_is_here() if gpu is None else gpu
        self._open: dict[int, Replica] = {}
        self._saved: dict[int, int] = {}

    def current(self, collection_id: int, dim: int, encoder: str | None = None) -> Replica | None:
        """Return a replica that holds every change committed before this call; None where it is deleted.

        Raises `encoder_changed` where the collection no longer answers by the encoder that is named.
        """
        replica = self._open.get(collection_id)
        if replica is None:
            replica = self._begin(collection_id, dim)
        changes = self._feed(collection_id, replica.version)
        if changes is not None and encoder not in (None, changes.encoder):
            raise ExemplarError(ENCODER_CHANGED, f"the collection answers by {changes.encoder} now")
        if changes is not None and _is_of_another_record(replica, changes):
            self._forget(collection_id)
            replica = Replica(dim, gpu=self._gpu)
            changes = self._feed(collection_id, 0)
            if changes is not None and encoder not in (None, changes.encoder):
                raise ExemplarError(ENCODER_CHANGED, f"the collection answers by {changes.encoder} now")
        if changes is None:
            self._forget(collection_id)
            return None
        if changes.version != replica.version:
            self._open.pop(collection_id, None)  # a time limit may strike in the middle: it is then made anew
            replica.apply(changes)
        self._open[collection_id] = replica
        # a tenth more, so that a collection that grows is not written over and over again
        unsaved = replica.version - self._saved.setdefault(collection_id, 0)
        if unsaved >= max(SAVE_AFTER, len(replica) // 10):
            self._save(collection_id)
        return replica

    def versions(self) -> dict[int, int]:
        """Return the version that each replica holds, by collection id; safe to call from any thread."""
        return {collection_id: replica.version for collection_id, replica in self._open.copy().items()}

    def save_all(self) -> None:
        """Write a snapshot of every replica that changed since its last one."""
        for collection_id, replica in self._open.items():
            if replica.version > self._saved.get(collection_id, 0):
                self._save(collection_id)

    def _begin(self, collection_id: int, dim: int) -> Replica:
        found = snapshot.load(self._folder, collection_id, dim, gpu=self._gpu)
        if found is None:
            return Replica(dim, gpu=self._gpu)
        self._saved[collection_id] = found.version
        return found

    def _forget(self, collection_id: int) -> None:
        self._open.pop(collection_id, None)
        self._saved.pop(collection_id, None)
        snapshot.discard(self._folder, collection_id)

    def _save(self, collection_id: int) -> None:
        replica = self._open[collection_id]
        try:
            snapshot.save(replica, self._folder, collection_id)
        except OSError:  # a full disk costs the next start some seconds, never an answer
            return
        self._saved[collection_id] = replica.version


def _is_of_another_record(replica: Replica, changes: Changes) -> bool:
    """Say whether the record was replaced, or restored from a backup; either way the record is right."""
    if replica.version == 0:
        return False
    return changes.version < replica.version or changes.born != replica.born
