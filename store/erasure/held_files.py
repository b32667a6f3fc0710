"""Which pictures and thumbnails somebody else has too, found with few passes over large tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Text, cast, func, or_, select

from store import tables as t
from store.record.retention import keeps_files
from store.work.kinds import kinds_that
from store.work.states import FINAL_CHUNK

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest rows of a look: a second one need not see those before again."""

    support: int = 0
    chunk: int = 0


@dataclass(frozen=True, slots=True)
class Files:
    """Digests of pictures and of thumbnails."""

    pictures: frozenset[str]
    thumbnails: frozenset[str]

    def __or__(self, other: Files) -> Files:
        return Files(self.pictures | other.pictures, self.thumbnails | other.thumbnails)


def newest(connection: Connection) -> Newest:
    """Return the newest rows that a look now sees."""
    ids = (select(func.max(table.c.id)) for table in (t.support, t.chunk))
    support, chunk = (connection.execute(each).scalar() or 0 for each in ids)
    return Newest(support, chunk)


def held_files(connection: Connection, files: Files, after: Newest) -> Files:
    """Return those of these files that supports, contributions or waiting work have; no index finds them."""
    pictures, thumbnails = set[str](), set[str]()
    support, given = t.support.c, t.quarantine.c
    for table, which in ((support, (support.id > after.support, keeps_files())), (given, ())):
        named = or_(table.picture.in_(sorted(files.pictures)), table.thumbnail.in_(sorted(files.thumbnails)))
        for row in connection.execute(select(table.picture, table.thumbnail).where(named, *which)):
            pictures.add(row.picture)
            thumbnails.add(row.thumbnail)
    pictures |= set(_waited_for(connection, after))
    return Files(files.pictures & pictures, files.thumbnails & thumbnails)


def _waited_for(connection: Connection, after: Newest) -> Iterator[str]:
    """Yield the digests in chunks that are to enrol or embed pictures of supports."""
    chunk = t.chunk.c
    keeping = t.job.c.kind.in_(kinds_that(lambda kind: kind.keeps_pictures))
    rows = (
        select(cast(chunk.inputs, Text))
        .join(t.job, t.job.c.id == chunk.job_id)
        .where(chunk.id > after.chunk, chunk.state.not_in(FINAL_CHUNK), keeping)
    )
    for inputs in connection.execute(rows).scalars():
        yield from _DIGEST.findall(inputs)
