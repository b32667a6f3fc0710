"""Exports: a collection at one version, spooled to disk while the record is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, exists, func, select

from core.collections import ClassKind, Labels, Views
from core.errors import ExemplarError
from core.quality import unpack_quality
from core.vectors import COMPONENT
from formats.bundle import BundleClass, BundleEncoder, BundleSupport, Manifest, Spool
from store import tables as t
from store.database import Database
from store.record.collection_rows import unpack_rule
from store.record.collections import find_collection, vector_column
from store.record.label_sets import members_of
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
                collection = find_collection(connection, name)
                ids, classes = _classes(connection, collection.id)
                manifest = _manifest(connection, collection, classes)
                spool.fill(manifest, _supports(connection, collection, manifest, ids))
        except BaseException:
            spool.close()
            raise
        return spool


def _classes(connection: Connection, collection_id: int) -> tuple[list[int], list[BundleClass]]:
    """Return ids and values of the classes, without label sets that no support has."""
    class_ = t.class_.c
    used = exists(select(1).where(t.support.c.class_id == class_.id))
    rows = connection.execute(
        select(class_.id, class_.label, class_.kind, class_.complete)
        .where(class_.collection_id == collection_id, ~class_.deleted)
        .where((class_.kind != ClassKind.SET) | used)
        .order_by(class_.id)
    ).all()
    sets = members_of(connection, [row.id for row in rows if row.kind is ClassKind.SET])
    places = {row.id: place for place, row in enumerate(rows)}
    classes = [
        BundleClass(
            label="" if row.id in sets else row.label,
            kind=row.kind,
            members=tuple(sorted(places[one] for one in sets[row.id].ids)) if row.id in sets else (),
            complete=row.complete,
        )
        for row in rows
    ]
    return list(places), classes


def _manifest(connection: Connection, collection: Row[Any], classes: Sequence[BundleClass]) -> Manifest:
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
        format_version=2 if collection.labels is Labels.MANY else 1,
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
        classes=tuple(classes),
        supports=count,
        labels=collection.labels,
        quality=unpack_quality(collection.quality),
    )


def _seen(collection: Row[Any]) -> tuple[Any, ...]:
    """Return the condition of supports that take part in answers."""
    support = t.support.c
    return (
        support.collection_id == collection.id,
        support.class_id.is_not(None),
        vector_column(collection.active_slot).is_not(None),
    )


def _supports(
    connection: Connection, collection: Row[Any], manifest: Manifest, class_ids: Sequence[int]
) -> Iterator[BundleSupport]:
    """Yield supports in the order in which replicas hold them, so that sums are identical."""
    support = t.support.c
    places = {class_id: place for place, class_id in enumerate(class_ids)}
    label_sets = manifest.label_sets()
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
        .order_by(support.id)
    )
    for row in rows:
        place = places[row.class_id]
        labels = label_sets[place]
        yield BundleSupport(
            row.id,
            place,
            bytes(row.packed),
            manifest.classes[place].label if labels is None else None,
            row.picture,
            row.external_id,
            row.said,
            row.created_at,
            labels,
        )
