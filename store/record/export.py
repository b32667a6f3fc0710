"""Exports: a collection at one version, spooled to disk while the record is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, func, select

from core.errors import ExemplarError
from core.types import Views
from core.vectors import COMPONENT
from formats.bundle import BundleClass, BundleEncoder, BundleSupport, Manifest, Spool
from store import tables as t
from store.database import Database
from store.record.collection_rows import unpack_rule
from store.record.collections import collection_not_found, vector_column
from store.record.probes import probe_of

AT_ONCE = 1_000  # rows in memory


class Exports:
    """The parts of the store that exports read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spool(self, name: str) -> Spool:
        """Return a collection's file, all of one version, ready to be streamed.

        The record is read in one transaction, which ends before the first byte is sent. Raises
        `collection_not_found`.
        """
        spool = Spool()
        try:
            with self._database.read() as connection:
                collection = connection.execute(
                    select(t.collection).where(t.collection.c.name == name)
                ).first()
                if collection is None:
                    raise collection_not_found(name)
                classes = connection.execute(
                    select(t.class_.c.id, t.class_.c.label, t.class_.c.kind)
                    .where(t.class_.c.collection_id == collection.id, ~t.class_.c.deleted)
                    .order_by(t.class_.c.id)
                ).all()
                manifest = _manifest(connection, collection, classes)
                spool.fill(manifest, _supports(connection, collection, classes))
        except BaseException:
            spool.close()
            raise
        return spool


def _manifest(connection: Connection, collection: Row[Any], classes: Any) -> Manifest:
    vector = vector_column(collection.active_slot)
    count, size = connection.execute(
        select(func.count(), func.max(func.length(vector))).where(*_seen(collection))
    ).one()
    probe = probe_of(connection, collection.encoder)
    dim = size // COMPONENT.itemsize if size else 0 if probe is None else len(probe.vector)
    if dim == 0:
        raise ExemplarError(
            "export_empty", "expected a collection with supports, or a worker that has loaded its encoder"
        )
    return Manifest(
        collection=collection.name,
        version=collection.version,
        encoder=BundleEncoder(
            spec=collection.encoder,
            dim=dim,
            probe=None if probe is None else tuple(float(value) for value in probe.vector),
            identity=None if probe is None else probe.identity,
        ),
        rule=unpack_rule(collection.rule),
        views=Views(collection.views),
        prompts=collection.prompts,
        classes=tuple(BundleClass(label=row.label, kind=row.kind) for row in classes),
        supports=count,
    )


def _seen(collection: Row[Any]) -> tuple[Any, ...]:
    """Return the condition of supports that take part in answers."""
    support = t.support.c
    return (
        support.collection_id == collection.id,
        support.class_id.is_not(None),
        vector_column(collection.active_slot).is_not(None),
    )


def _supports(connection: Connection, collection: Row[Any], classes: Any) -> Iterator[BundleSupport]:
    """Yield supports in the order in which replicas apply them, so that sums are identical."""
    support = t.support.c
    places = {row.id: place for place, row in enumerate(classes)}
    rows = connection.execution_options(yield_per=AT_ONCE).execute(
        select(
            support.id,
            support.class_id,
            vector_column(collection.active_slot).label("packed"),
            support.picture,
            support.external_id,
            support.metadata.label("said"),
            support.created_at,
        )
        .where(*_seen(collection))
        .order_by(support.seq)
    )
    for row in rows:
        place = places[row.class_id]
        yield BundleSupport(
            row.id,
            place,
            bytes(row.packed),
            classes[place].label,
            row.picture,
            row.external_id,
            row.said,
            row.created_at,
        )
