"""The supports that an erasure is about, turned into tombstones that tell nothing."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, or_, select, update

from core.collections import ChangeKind, Labels
from core.labels import pack_labels
from store import tables as t
from store.erasure.targets import ITEM, PICTURE, SUPPORT, THUMBNAIL, Wanted
from store.record.change_log import Made
from store.record.class_rows import find_class, mark_class_deleted, wipe_supports
from store.record.collections import lock_collection, set_version
from store.record.label_changes import delete_label


def matching(
    connection: Connection, collection_id: int, labels: Labels, wanted: Wanted
) -> ColumnElement[bool]:
    """Return the condition that a row of the support table is to be erased, and was not yet."""
    support = t.support.c
    here = support.collection_id == collection_id
    if wanted.external_id is not None:
        return and_(here, support.external_id == wanted.external_id)
    if wanted.label is None:
        return and_(here, support.id.in_(wanted.support_ids), support.picture != "")
    ids = classes_named(collection_id, wanted.label)
    sets = select(t.class_member.c.set_id).where(t.class_member.c.label_id.in_(ids))
    past = t.support_past.c
    was = select(past.support_id).where(past.class_id.in_(ids))
    gone = support.class_id.is_(None) & (support.picture != "") & support.id.in_(was)
    return and_(here, or_(support.class_id.in_(sets if labels is Labels.MANY else ids), gone))


def classes_named(collection_id: int, label: str) -> Select[int]:
    """Select the ids of the classes that have a label, or had it when they were deleted."""
    class_ = t.class_.c
    return select(class_.id).where(class_.collection_id == collection_id, class_.label == label)


def erase_supports(
    connection: Connection, collection_id: int, wanted: Wanted, limit: int
) -> list[tuple[str, str]]:
    """Erase some supports of a collection, and return them, their files and the items they came from.

    The result is empty when none is left; then the class is deleted too, if it was the one that was named.
    """
    version = lock_collection(connection, collection_id)
    if version is None:
        return []
    labels = connection.execute(
        select(t.collection.c.labels).where(t.collection.c.id == collection_id)
    ).scalar_one()
    support = t.support.c
    which = matching(connection, collection_id, labels, wanted)
    rows = connection.execute(
        select(support.id, support.picture, support.thumbnail).where(which).order_by(support.id).limit(limit)
    ).all()
    ids = [row.id for row in rows]
    if not ids:
        _delete_class(connection, collection_id, labels, wanted, version)
        return _erase_contributions(connection, collection_id, wanted)
    version = wipe_supports(connection, support.id.in_(ids), version)
    set_version(connection, collection_id, version, Made(ChangeKind.ERASED, {"supports": len(ids)}))
    note_erased(connection, collection_id, version)
    found = [(SUPPORT, str(row.id)) for row in rows]
    found += [(PICTURE, row.picture) for row in rows if row.picture]
    found += [(THUMBNAIL, row.thumbnail) for row in rows if row.thumbnail]
    reviewed = select(t.review.c.job_id, t.review.c.item).where(t.review.c.support_id.in_(ids))
    return found + [(ITEM, f"{row.job_id}:{row.item}") for row in connection.execute(reviewed)]


def _erase_contributions(connection: Connection, collection_id: int, wanted: Wanted) -> list[tuple[str, str]]:
    """Delete what contributors sent of the same, decided or not, and return its files."""
    row = t.quarantine.c
    if wanted.external_id is not None:
        same = row.external_id == wanted.external_id
    elif wanted.label is not None:
        same = row.label.in_([wanted.label, pack_labels([wanted.label])])
    else:
        same = row.support_id.in_(wanted.support_ids)
    gone = delete(t.quarantine).where(row.collection_id == collection_id, same)
    rows = connection.execute(gone.returning(row.picture, row.thumbnail)).all()
    found = [(PICTURE, one.picture) for one in rows if one.picture]
    return found + [(THUMBNAIL, one.thumbnail) for one in rows if one.thumbnail]


def note_erased(connection: Connection, collection_id: int, version: int) -> None:
    """Note the version before which a snapshot may hold what was erased; it is never loaded again."""
    connection.execute(
        update(t.collection).where(t.collection.c.id == collection_id).values(erased_version=version)
    )


def _delete_class(
    connection: Connection, collection_id: int, labels: Labels, wanted: Wanted, version: int
) -> None:
    class_id = None if wanted.label is None else find_class(connection, collection_id, wanted.label)
    if class_id is None or wanted.label is None:
        return
    if labels is Labels.MANY:
        version = delete_label(connection, collection_id, wanted.label, version)
    else:
        version += 1
        mark_class_deleted(connection, class_id, version, merged_into=None)
    set_version(connection, collection_id, version, Made(ChangeKind.ERASED, {"class": class_id}))
