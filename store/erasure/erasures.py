"""Erasures: requested by callers, done by a worker in bounded transactions, and kept as receipts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from core.errors import ExemplarError
from core.jobs import ErasureState
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.erasure.chunks import slice_of
from store.erasure.held import Held
from store.erasure.items import clean
from store.erasure.phases import FIRST
from store.erasure.supports import classes_named, matching
from store.erasure.targets import Targets, Wanted
from store.record.audit_log import note
from store.record.collections import find_collection
from store.unpacking import unpack
from store.work.jobs import new_job_id
from store.work.leases import Leases

CHUNKS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Erasure:
    """A receipt. It names nobody: only how much of what there was, and pictures that others still hold."""

    id: str
    collections: Sequence[str] | None
    """Where it was asked for; None for everywhere."""
    key_id: str
    request_id: str | None
    kind: str
    state: ErasureState
    at: float
    finished_at: float | None
    counts: Mapping[str, int]
    elsewhere: Sequence[str]
    """Digests of pictures that other supports, or waiting work, hold for their own reasons."""
    unread: Sequence[str]
    """Jobs whose uploads were not read to the end."""

    @property
    def is_complete(self) -> bool:
        """Whether it is done and nothing is left."""
        return self.state is ErasureState.DONE and not self.elsewhere and not self.unread


class Erasures(Leases):
    """The erasures of the record."""

    def __init__(self, database: Database, *, lease_s: float) -> None:
        super().__init__(database, t.erasure, lease_s=lease_s)

    def begin(
        self, wanted: Wanted, collections: Sequence[str] | None, *, key_id: str, request_id: str | None
    ) -> Erasure:
        """Request an erasure in some collections, or in all; once this returns a worker will do it.

        Raises `collection_not_found`, `support_not_found` and `class_not_found`.
        """
        erasure_id = new_job_id()
        with self._database.write() as connection:
            _check(connection, wanted, collections)
            connection.execute(
                insert(t.erasure).values(
                    id=erasure_id,
                    collections=None if collections is None else sorted(collections),
                    key_id=key_id,
                    request_id=request_id,
                    kind=wanted.kind,
                    state=ErasureState.RUNNING,
                    at=now_s(),
                    counts={},
                    elsewhere=[],
                    unread=[],
                    wanted=wanted.packed(),
                    phase=FIRST,
                    position=0,
                )
            )
            details = {"erasure": erasure_id, "kind": wanted.kind, "collections": collections}
            only = collections[0] if collections is not None and len(collections) == 1 else None
            note(connection, "erasure_requested", collection=only, details=details)
        return self.get(erasure_id)

    def foretell(self, wanted: Wanted, collections: Sequence[str] | None) -> Mapping[str, int]:
        """Count what an erasure would take, without doing it; raises as `begin` does."""
        counts: Counter[str] = Counter()
        with self._database.read(patient=True) as connection:
            _check(connection, wanted, collections)
            targets = Targets(wanted.external_id)
            which = () if collections is None else (t.collection.c.name.in_(collections),)
            for found in connection.execute(select(t.collection.c.id, t.collection.c.labels).where(*which)):
                rows = connection.execute(
                    select(t.support.c.id, t.support.c.picture).where(
                        matching(connection, found.id, found.labels, wanted)
                    )
                ).all()
                targets.supports.update(row.id for row in rows)
                targets.pictures.update(row.picture for row in rows if row.picture)
            counts.update(supports=len(targets.supports), pictures=len(targets.pictures))
            counts += _count_items(connection, collections, targets)
        return dict(counts)

    def get(self, erasure_id: str, among: Collection[str] | None = None) -> Erasure:
        """Return a receipt; raises `erasure_not_found`, also if it is not about `among` alone."""
        with self._database.read() as connection:
            row = connection.execute(select(t.erasure).where(t.erasure.c.id == erasure_id)).first()
        if row is None or not _is_among(row, among):
            raise ExemplarError("erasure_not_found", f"there is no erasure {erasure_id!r}")
        return unpack(Erasure, row)

    def page(
        self, *, before: str | None = None, limit: int = 100, among: Collection[str] | None = None
    ) -> list[Erasure]:
        """Return receipts, newest first, from the one before `before` on; with `among` those about these."""
        statement = select(t.erasure).order_by(t.erasure.c.id.desc())
        if before is not None:
            statement = statement.where(t.erasure.c.id < before)
        found: list[Erasure] = []
        with self._database.read() as connection:
            for row in connection.execute(statement.execution_options(yield_per=limit)):
                if _is_among(row, among):
                    found.append(unpack(Erasure, row))
                if len(found) == limit:
                    break
        return found

    def claim(self, owner: str) -> Held | None:
        """Claim the oldest erasure that runs, under a lease; None if there is none."""
        row = self._lease.claim(self._database, self._ready(), owner)
        return None if row is None else Held(self._database, self._lease, owner, row)

    def waits(self, connection: Connection) -> bool:
        """Return whether there is anything to erase."""
        return connection.execute(self._ready().limit(1)).first() is not None

    def versions(self) -> dict[int, int]:
        """Return the version before which snapshots may hold erased vectors, by collection."""
        collection = t.collection.c
        erased = select(collection.id, collection.erased_version).where(collection.erased_version > 0)
        with self._database.read() as connection:
            return {row.id: row.erased_version for row in connection.execute(erased)}

    def _ready(self) -> Any:
        is_running = t.erasure.c.state == ErasureState.RUNNING
        return select(t.erasure).where(is_running, self._lease.is_free).order_by(t.erasure.c.id)


def _check(connection: Connection, wanted: Wanted, collections: Sequence[str] | None) -> None:
    for name in collections or ():
        found = find_collection(connection, name)
        support = t.support.c
        here = select(support.id).where(
            support.collection_id == found.id, support.id.in_(wanted.support_ids), support.picture != ""
        )
        missing = set(wanted.support_ids).difference(connection.execute(here).scalars())
        if missing:
            raise ExemplarError("support_not_found", f"there is no support {min(missing)} in this collection")
        if wanted.label is None:
            continue
        if connection.execute(classes_named(found.id, wanted.label).limit(1)).first() is None:
            raise ExemplarError("class_not_found", f"there is no class {wanted.label!r}")


def _count_items(connection: Connection, collections: Sequence[str] | None, targets: Targets) -> Counter[str]:
    counts: Counter[str] = Counter(items=0, shown=0)
    after = 0
    while rows := slice_of(connection, after, collections, CHUNKS_AT_ONCE):
        for row in rows:
            results = None if row.results is None else json.loads(row.results)
            found = clean(row.job_id, json.loads(row.inputs), results, targets)
            counts.update(items=len(found.items), shown=found.mentions)
        after = rows[-1].id
    return counts


def _is_among(row: Row[Any], among: Collection[str] | None) -> bool:
    return among is None or (row.collections is not None and set(row.collections) <= set(among))
