"""The replicas of one worker process, each brought up to date before it is searched."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from core.changes import Changes
from core.collections import Index, IndexMeasure, IndexName
from core.errors import ExemplarError
from index import snapshot
from index.devices import gpu_is_here
from index.milvus import Milvus, MilvusStore
from index.replica import Replica
from index.training import Run, follow_index, in_background
from index.vector_store import VectorStoreReplica

Feed = Callable[[int, int], Changes | None]
"""(collection id, version) -> changes after that version; None if the collection is gone."""


ENCODER_CHANGED = "encoder_changed"
AnyReplica = Replica | VectorStoreReplica

SAVE_AFTER = 5_000  # changes; reading as many rows takes about a tenth of a second


class Replicas:
    """Opens, updates and saves replicas; the record behind `feed` is the source of truth.

    Threads may share it: one at a time follows a collection, and others follow other collections meanwhile.
    """

    def __init__(
        self,
        feed: Feed,
        folder: Path,
        *,
        gpu: bool | None = None,
        milvus: Milvus | None = None,
        run: Run = in_background,
        new_mark: Callable[[int], str] = lambda _: "",
        knows: Callable[[int, str], bool] = lambda _, __: True,
    ) -> None:
        self._feed = feed
        self._folder = folder
        self._gpu = gpu_is_here() if gpu is None else gpu
        self._milvus = milvus or Milvus("", "", folder / "milvus")
        self._run = run
        self._new_mark, self._knows = new_mark, knows
        self._open: dict[int, AnyReplica] = {}
        self._saved: dict[int, int] = {}
        self._reported: dict[int, IndexMeasure] = {}
        self._identities: dict[int, str] = {}
        self._following: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)

    def current(
        self,
        collection_id: int,
        dim: int,
        index: Index = Index(),  # noqa: B008 - a frozen value
        *,
        encoder: str | None = None,
        identity: str = "",
    ) -> AnyReplica | None:
        """Return a replica with every change committed before this call; None if the collection was deleted.

        `identity` is the encoder's; snapshots of another one are not read.
        Raises `encoder_changed` if the collection no longer answers with the named encoder.
        """
        with self._following[collection_id]:
            replica = self._open.get(collection_id)
            is_stored = index.name is IndexName.MILVUS
            if replica is not None and isinstance(replica, VectorStoreReplica) != is_stored:
                _drop(replica)
                replica = None
            if replica is not None and replica.version == 0 and replica.dim != dim:
                replica = None  # it is empty, and of an encoder that went since
            if replica is None:
                self._identities[collection_id] = identity
                replica = self._begin(collection_id, dim, index)
            if isinstance(replica, VectorStoreReplica):
                replica.recover()
            found = self._follow(collection_id, replica, dim, index, encoder)
            if isinstance(found, Replica):
                follow_index(found, index, run=self._run)
                self._save_if_due(collection_id, found)
            return found

    def new_measure(self, collection_id: int) -> IndexMeasure | None:
        """Return the measured recall of a collection's approximate index, once."""
        replica = self._open.get(collection_id)
        measured = None if replica is None else replica.measured
        if measured is None or measured is self._reported.get(collection_id):
            return None
        self._reported[collection_id] = measured
        return measured

    def versions(self) -> dict[int, int]:
        """Return the version of each replica, by collection id; thread-safe."""
        return {collection_id: replica.version for collection_id, replica in self._open.copy().items()}

    def save_all(self) -> None:
        """Write a snapshot of every replica that changed since its last one."""
        for collection_id, replica in self._open.copy().items():
            with self._following[collection_id]:
                if isinstance(replica, Replica) and replica.version > self._saved.get(collection_id, 0):
                    self._save(collection_id, replica)

    def forget_erased(self, versions: Mapping[int, int]) -> None:
        """Delete the snapshots of collections that are older than a version, and follow it in memory.

        They may hold vectors of supports that were erased by then.
        """
        for collection_id, version in versions.items():
            with self._following[collection_id]:
                snapshot.discard(self._folder, collection_id, before=version)
                if self._saved.get(collection_id, version) < version:
                    self._saved.pop(collection_id)
                replica = self._open.get(collection_id)
                while replica is not None and replica.version < version:
                    changes = self._feed(collection_id, replica.version)
                    if changes is None or _is_of_another_record(replica, changes):
                        break  # the next search finds out
                    self._open.pop(collection_id)
                    replica.apply(changes)
                    self._open[collection_id] = replica

    def _follow(
        self, collection_id: int, replica: AnyReplica, dim: int, index: Index, encoder: str | None
    ) -> AnyReplica | None:
        """Apply changes from the record until there are no more."""
        while True:
            changes = self._feed(collection_id, replica.version)
            if changes is None:
                self._forget(collection_id)
                _drop(replica)
                return None
            if encoder not in (None, changes.encoder):
                raise ExemplarError(ENCODER_CHANGED, f"the collection now answers with {changes.encoder}")
            if _is_of_another_record(replica, changes):
                if changes.epoch != replica.epoch:  # vectors of another record or encoder
                    _drop(replica)
                self._forget(collection_id)
                replica = self._empty(collection_id, dim, index)
                continue
            if changes.version != replica.version:
                # a time limit may interrupt an update: the replica is then built again
                self._open.pop(collection_id, None)
                replica.apply(changes)
            self._open[collection_id] = replica
            if not changes.more and replica.version == changes.version:
                return replica

    def _begin(self, collection_id: int, dim: int, index: Index) -> AnyReplica:
        if index.name is not IndexName.MILVUS:
            identity = self._identities[collection_id]
            found = snapshot.load(
                self._folder,
                collection_id,
                dim,
                identity=identity,
                gpu=self._gpu,
                knows=partial(self._knows, collection_id),
            )
            if found is not None:
                self._saved[collection_id] = found.version
                return found
        return self._empty(collection_id, dim, index)

    def _empty(self, collection_id: int, dim: int, index: Index) -> AnyReplica:
        if index.name is not IndexName.MILVUS:
            return Replica(dim, gpu=self._gpu)

        def open_store(epoch: float) -> MilvusStore:  # records that share one server differ in their epochs
            return self._milvus.open(f"exemplar_{collection_id}_{int(epoch * 1000)}", dim)

        return VectorStoreReplica(open_store, dim)

    def _forget(self, collection_id: int) -> None:
        self._open.pop(collection_id, None)
        self._saved.pop(collection_id, None)
        self._reported.pop(collection_id, None)
        snapshot.discard(self._folder, collection_id)

    def _save_if_due(self, collection_id: int, replica: Replica) -> None:
        # a tenth more, so that a growing collection is not saved over and over again
        unsaved = replica.version - self._saved.setdefault(collection_id, 0)
        if unsaved >= max(SAVE_AFTER, len(replica) // 10):
            self._save(collection_id, replica)

    def _save(self, collection_id: int, replica: Replica) -> None:
        try:
            identity, mark = self._identities[collection_id], self._new_mark(collection_id)
            snapshot.save(replica, self._folder, collection_id, identity=identity, mark=mark)
        except (OSError, ExemplarError):  # a full disk costs the next start some seconds, never an answer
            return
        self._saved[collection_id] = replica.version


def _drop(replica: AnyReplica) -> None:
    if isinstance(replica, VectorStoreReplica):
        try:
            replica.drop()
        except ExemplarError:  # it is unreachable, or another worker was first
            return


def _is_of_another_record(replica: AnyReplica, changes: Changes) -> bool:
    """Return whether the record was replaced, or restored from a backup, and is older than the replica."""
    if replica.version == 0:
        return False
    return changes.version < replica.version or changes.epoch != replica.epoch
