"""Labels of collections with several labels a picture, renamed, merged and deleted with what is below them.

Each function changes a locked collection from a version on and returns the version that results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, or_, select, update

from core.collections import ClassKind
from core.errors import ExemplarError
from core.label_sets import clean_part, is_within
from store import tables as t
from store.database import slices
from store.record.class_rows import (
    add_class,
    find_class,
    mark_class_deleted,
    mark_supports_deleted,
    renumber_supports,
)
from store.record.label_sets import Members, find_or_make_labels, members_of, write_members
from store.record.past import keep_classes

Became = Mapping[int, frozenset[int]]
"""What labels have become: another one with all that it implies, or nothing."""


def rename_label(connection: Connection, collection_id: int, label: str, new_label: str, version: int) -> int:
    """Rename a label, and all below it; raises `class_exists`, or `label_invalid` for a name below itself.

    What the old name implied stays in the sets, what the new name implies joins them.
    """
    if new_label == label:
        return version
    if is_within(new_label, label):
        raise ExemplarError("label_invalid", f"expected a name not below {label!r}, got {new_label!r}")
    if find_class(connection, collection_id, new_label) is not None:
        raise ExemplarError("class_exists", f"there is already a class {new_label!r}; merge the two instead")
    return _relabel(connection, collection_id, label, new_label, version)


def merge_labels(
    connection: Connection, collection_id: int, label: str, sources: Sequence[str], version: int
) -> int:
    """Make other labels, and all below them, this one; raises `merge_invalid` for one that this is below."""
    above = [source for source in sources if is_within(label, source)]
    if above:
        raise ExemplarError("merge_invalid", f"expected labels that {label!r} is not below, got {above[0]!r}")
    for source in sorted(sources, key=lambda source: -source.count("/")):
        version = _relabel(connection, collection_id, source, label, version)
    return version


def delete_label(connection: Connection, collection_id: int, label: str, version: int) -> int:
    """Take a label, and all below it, out of every set, and delete the supports that said nothing else."""
    ids = [row.id for row in _subtree(connection, collection_id, label)]
    for class_id in ids:
        mark_class_deleted(connection, class_id, version + 1, merged_into=None)
    return rewrite_sets(connection, collection_id, dict.fromkeys(ids, frozenset()), version + 1)


def rewrite_sets(connection: Connection, collection_id: int, became: Became, version: int) -> int:
    """Write what labels have become into the sets that have them.

    Supports move from a set that equals another one now; those of a set that says nothing now are deleted.
    """
    before = _sets_with(connection, collection_id, sorted(became))
    after = {set_id: _changed(members, became) for set_id, members in before.items()}
    silent = [set_id for set_id, members in after.items() if not members.ids and not members.complete]
    for some in slices(silent):
        version = mark_supports_deleted(connection, t.support.c.class_id.in_(some), version)
    owners = _owners(connection, collection_id, {members.text for members in after.values()})
    kept: dict[int, Members] = {}
    merged: dict[int, int] = {}
    for set_id in sorted(after.keys() - silent):
        members = after[set_id]
        owner = owners.setdefault(members.text, set_id)
        if owner != set_id:
            merged[set_id] = owner
        elif members != before[set_id]:
            kept[set_id] = members
    version = _move(connection, merged, version) + 1
    _write(connection, kept, {**dict.fromkeys(silent), **merged}, version)
    return version


def _relabel(connection: Connection, collection_id: int, label: str, new_label: str, version: int) -> int:
    became: dict[int, frozenset[int]] = {}
    for row in _subtree(connection, collection_id, label):  # parents first
        name = clean_part(new_label + row.label[len(label) :])
        found = find_class(connection, collection_id, name)
        if found is None:  # work accepted under the old name follows, as after a merge
            keep_classes(connection, [row.id], version + 1)
            connection.execute(
                update(t.class_).where(t.class_.c.id == row.id).values(label=name, seq=version + 1)
            )
            tombstone = add_class(connection, collection_id, row.label, version + 1)
            mark_class_deleted(connection, tombstone, version + 1, merged_into=row.id)
        else:
            mark_class_deleted(connection, row.id, version + 1, merged_into=found)
        became[row.id] = find_or_make_labels(connection, collection_id, [name], version + 1)
    return rewrite_sets(connection, collection_id, became, version + 1)


def _subtree(connection: Connection, collection_id: int, label: str) -> list[Any]:
    """Return the rows of a label and of all below it."""
    class_ = t.class_.c
    rows = connection.execute(
        select(class_.id, class_.label)
        .where(class_.collection_id == collection_id, ~class_.deleted, class_.kind != ClassKind.SET)
        .where(or_(class_.label == label, class_.label.startswith(f"{label}/", autoescape=True)))
    )
    found = [row for row in rows if is_within(row.label, label)]  # SQLite's LIKE ignores case
    return sorted(found, key=lambda row: (row.label.count("/"), row.label))


def _sets_with(connection: Connection, collection_id: int, labels: Sequence[int]) -> dict[int, Members]:
    class_, member = t.class_.c, t.class_member.c
    found: set[int] = set()
    for some in slices(labels):
        found |= set(
            connection.execute(
                select(member.set_id)
                .join(t.class_, class_.id == member.set_id)
                .where(member.label_id.in_(some), class_.collection_id == collection_id, ~class_.deleted)
            ).scalars()
        )
    return members_of(connection, sorted(found))


def _changed(members: Members, became: Became) -> Members:
    ids = (became.get(one, frozenset((one,))) for one in members.ids)
    return Members(frozenset().union(*ids), members.complete)


def _owners(connection: Connection, collection_id: int, texts: set[str]) -> dict[str, int]:
    """Return the sets that have these texts already."""
    class_ = t.class_.c
    found: dict[str, int] = {}
    for some in slices(sorted(texts)):
        rows = connection.execute(
            select(class_.label, class_.id).where(
                class_.collection_id == collection_id, class_.label.in_(some), ~class_.deleted
            )
        )
        found |= {row.label: row.id for row in rows}
    return found


def _move(connection: Connection, sets: Mapping[int, int], version: int) -> int:
    """Move the supports of sets to other ones, in few statements however many sets there are."""
    support = t.support.c
    for some in slices(sorted(sets)):
        moved = connection.execute(select(support.id).where(support.class_id.in_(some))).scalars().all()
        for ids in slices(moved):
            version = renumber_supports(connection, support.id.in_(ids), version)
        connection.execute(
            update(t.support).where(support.class_id == bindparam("of")).values(class_id=bindparam("into")),
            [{"of": set_id, "into": sets[set_id]} for set_id in some],
        )
    return version


def _write(
    connection: Connection, kept: Mapping[int, Members], ended: Mapping[int, int | None], seq: int
) -> None:
    """Write the new members of sets, and turn those that ended into tombstones."""
    keep_classes(connection, sorted({*kept, *ended}), seq)
    for some in slices(sorted({*kept, *ended})):
        connection.execute(delete(t.class_member).where(t.class_member.c.set_id.in_(some)))
    write_members(connection, kept)
    which = update(t.class_).where(t.class_.c.id == bindparam("of"))
    if ended:
        rows = [{"of": set_id, "into": into} for set_id, into in ended.items()]
        connection.execute(which.values(deleted=True, seq=seq, merged_into=bindparam("into")), rows)
    if kept:
        connection.execute(which.values(seq=seq), [{"of": set_id} for set_id in kept])
