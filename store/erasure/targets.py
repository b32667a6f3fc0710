"""What an erasure looks for: supports, pictures and items, found first and kept until it is done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select, true
from sqlalchemy.dialects import postgresql, sqlite

from store import tables as t

SUPPORT, PICTURE, THUMBNAIL, ITEM, UPLOAD, PART, KEPT, LATE = (
    "support", "picture", "thumbnail", "item", "upload", "part", "kept", "late",
)  # fmt: skip
"""The kinds of targets: files of jobs are `JOB/NAME`, a part `JOB/NAME:START:SIZE`; `late` are chunks."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller wants erased: one of these three."""

    support_ids: tuple[int, ...] = ()
    external_id: str | None = None
    label: str | None = None

    @property
    def kind(self) -> str:
        """What it names, without saying whom."""
        if self.external_id is not None:
            return "external_id"
        return "label" if self.label is not None else "support_ids"

    def packed(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"support_ids": list(self.support_ids), "external_id": self.external_id, "label": self.label}

    @classmethod
    def of(cls, packed: Mapping[str, Any]) -> Wanted:
        """Return what `packed` returned."""
        return cls(tuple(packed["support_ids"]), packed["external_id"], packed["label"])


@dataclass(slots=True)
class Targets:
    """What was found so far; `external_id` is what items are known by too."""

    external_id: str | None = None
    supports: set[int] = field(default_factory=set)
    pictures: set[str] = field(default_factory=set)
    items: set[tuple[str, int]] = field(default_factory=set)
    """Job and item."""


def read_targets(connection: Connection, erasure_id: str, wanted: Wanted) -> Targets:
    """Return what an erasure has found."""
    erased = t.erased.c
    rows = connection.execute(select(erased.kind, erased.value).where(erased.erasure_id == erasure_id))
    targets = Targets(wanted.external_id)
    for kind, value in rows:
        if kind == SUPPORT:
            targets.supports.add(int(value))
        elif kind == PICTURE:
            targets.pictures.add(value)
        elif kind == ITEM:
            job_id, _, item = value.rpartition(":")
            targets.items.add((job_id, int(item)))
    return targets


def add_targets(connection: Connection, erasure_id: str, found: Iterable[tuple[str, str]]) -> None:
    """Keep targets, given as kind and value; those that are there stay."""
    rows = [{"erasure_id": erasure_id, "kind": kind, "value": value} for kind, value in dict.fromkeys(found)]
    if not rows:
        return
    is_sqlite = connection.dialect.name == "sqlite"
    insert = sqlite.insert if is_sqlite else postgresql.insert
    connection.execute(insert(t.erased).on_conflict_do_nothing(), rows)


def next_targets(
    connection: Connection, erasure_id: str, kinds: Collection[str], limit: int
) -> list[tuple[str, str]]:
    """Return some targets of these kinds, as kind and value."""
    erased = t.erased.c
    rows = connection.execute(
        select(erased.kind, erased.value)
        .where(erased.erasure_id == erasure_id, erased.kind.in_(sorted(kinds)))
        .order_by(erased.kind, erased.value)
        .limit(limit)
    )
    return [(row.kind, row.value) for row in rows]


def drop_targets(connection: Connection, erasure_id: str, done: Iterable[tuple[str, str]]) -> None:
    """Forget targets that are dealt with."""
    erased = t.erased.c
    for kind, value in done:
        which = (erased.erasure_id == erasure_id, erased.kind == kind, erased.value == value)
        connection.execute(delete(t.erased).where(*which))


def in_scope(names: Sequence[str] | None) -> ColumnElement[bool]:
    """Return the condition that a job belongs to one of these collections; None is all."""
    return true() if names is None else t.job.c.collection_name.in_(names)
