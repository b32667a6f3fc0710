"""The phases of an erasure: each step is one transaction, so that a killed worker's successor goes on.

1. `supports`: tombstones in the place of supports, collection by collection
2. `pictures`: what items with the external id show, so that the same pictures are found elsewhere
3. `chunks`: items, results, vectors, reviews and idempotency keys of jobs
4. `late`: chunks that were being answered meanwhile, once they are settled
5. `past`: earlier versions of answers
6. `files`: pictures, thumbnails, uploads and smoothing inputs
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, delete, select, text, update

from core.errors import ExemplarError
from core.types import ChunkState, ErasureState, JobKind
from store import tables as t
from store.blobs import PICTURES, THUMBNAILS, Blobs, uploads_of
from store.clock import now_s
from store.database import Database
from store.erasure.chunks import (
    about_same_answers,
    concerns,
    erase_in_chunk,
    erase_in_past,
    pictures_named,
    slice_of,
)
from store.erasure.supports import erase_supports, is_held, is_shown
from store.erasure.targets import (
    KEPT,
    LATE,
    PART,
    PICTURE,
    THUMBNAIL,
    UPLOAD,
    Targets,
    Wanted,
    add_targets,
    drop_targets,
    in_scope,
    next_targets,
    read_targets,
)
from store.work.kinds import kinds_that
from store.work.leases import RELEASED, Lease
from store.work.states import FINAL_CHUNK

SUPPORTS_AT_ONCE = 500
CHUNKS_AT_ONCE = 32
FILES_AT_ONCE = 100
FIRST = "supports"
FILES = (KEPT, PART, UPLOAD, PICTURE, THUMBNAIL)

Without = Callable[[bytes, Sequence[int]], bytes]
"""Smoothing inputs without some items."""


class LeaseLostError(Exception):
    """Another worker goes on with the erasure."""


@dataclass(slots=True)
class Held:
    """An erasure as a worker holds it."""

    database: Database
    lease: Lease
    owner: str
    row: Row[Any]
    phase: str = ""
    position: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    elsewhere: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    found: Targets | None = None
    is_done: bool = False

    def __post_init__(self) -> None:
        self.phase, self.position = self.row.phase, self.row.position
        self.counts.update(self.row.counts)
        self.elsewhere, self.unread = list(self.row.elsewhere), list(self.row.unread)

    @property
    def id(self) -> str:
        """The id of the receipt."""
        return str(self.row.id)

    @property
    def wanted(self) -> Wanted:
        """What is to be erased."""
        return Wanted.of(self.row.wanted)

    @property
    def names(self) -> Sequence[str] | None:
        """The collections, None for all."""
        names: Sequence[str] | None = self.row.collections
        return names

    def targets(self, connection: Connection) -> Targets:
        """Return what was found; it grows by the items that `erase_in_chunk` finds."""
        if self.found is None:
            self.found = read_targets(connection, self.id, self.wanted)
        return self.found

    @contextmanager
    def step(self) -> Iterator[Connection]:
        """A transaction that also writes how far the erasure has come; raises `LeaseLostError`."""
        with self.database.write() as connection:
            if self.database.is_sqlite:  # what is deleted is overwritten too
                connection.execute(text("PRAGMA secure_delete = ON"))
            yield connection
            self._note(connection, state=ErasureState.RUNNING, **self.lease.renewed)

    def finish(self) -> None:
        """Turn it into a receipt that names nobody."""
        with self.database.write() as connection:
            if self.database.is_sqlite:
                connection.execute(text("PRAGMA secure_delete = ON"))
            connection.execute(delete(t.erased).where(t.erased.c.erasure_id == self.id))
            done = {"state": ErasureState.DONE, "finished_at": now_s(), "wanted": None}
            self._note(connection, **done, **RELEASED)
        self.is_done = True
        self.database.scrub()

    def _note(self, connection: Connection, **values: Any) -> None:
        ours = (t.erasure.c.id == self.id, self.lease.is_of(self.owner))
        noted = update(t.erasure).where(*ours).values(
            phase=self.phase,
            position=self.position,
            counts={name: count for name, count in sorted(self.counts.items()) if count},
            elsewhere=self.elsewhere,
            unread=self.unread,
            **values,
        )  # fmt: skip
        if connection.execute(noted).rowcount == 0:
            raise LeaseLostError

    def next(self, phase: str) -> None:
        """Go on with the next phase."""
        self.phase, self.position, self.found = phase, 0, None


def advance(held: Held, blobs: Blobs, without: Without) -> bool:
    """Do one step; return whether to go on at once: else the erasure is done, or waits for running work.

    Raises `LeaseLostError`, `record_unavailable` and `blobs_unavailable`.
    """
    if held.phase == "files":
        return _files(held, blobs, without)
    return _STEPS[held.phase](held)


def _supports(held: Held) -> bool:
    collection = t.collection.c
    which = () if held.names is None else (collection.name.in_(held.names),)
    with held.step() as connection:
        found = connection.execute(
            select(collection.id).where(collection.id > held.position, *which).order_by(collection.id)
        ).first()
        if found is None:
            held.next("pictures")
            return True
        erased = erase_supports(connection, found.id, held.wanted, SUPPORTS_AT_ONCE)
        add_targets(connection, held.id, erased)
        held.counts.update(supports=sum(kind == "support" for kind, _ in erased))
        if not erased:
            held.position = found.id
    return True


def _pictures(held: Held) -> bool:
    external_id = held.wanted.external_id
    with held.step() as connection:
        rows = slice_of(connection, held.position, held.names, CHUNKS_AT_ONCE)
        if external_id is None or not rows:
            held.unread += _unread(connection, held.names)
            held.next("chunks")
            return True
        named = [digest for row in rows for digest in pictures_named(row, external_id)]
        add_targets(connection, held.id, [(PICTURE, digest) for digest in named])
        held.position = rows[-1].id
    return True


def _unread(connection: Connection, names: Sequence[str] | None) -> list[str]:
    """Return the jobs whose uploads are still to be read, which may hold more of the same."""
    reading = select(t.source.c.job_id).join(t.job, t.job.c.id == t.source.c.job_id).where(in_scope(names))
    return list(connection.execute(reading.order_by(t.source.c.job_id)).scalars())


def _chunks(held: Held) -> bool:
    with held.database.read() as connection:
        rows = slice_of(connection, held.position, held.names, CHUNKS_AT_ONCE)
        targets = held.targets(connection)
    concerned = [row.id for row in rows if concerns(row, targets)]
    for chunk_id in concerned:
        _erase_in(held, chunk_id)
    with held.step() as connection:
        # what is being answered may still show what is gone, once it is settled
        running = [row for row in rows if row.state is ChunkState.RUNNING and row.kind is not JobKind.IMPORT]
        add_targets(connection, held.id, [(LATE, f"{row.id}:{row.attempts}") for row in running])
        if rows:
            held.position = rows[-1].id
        else:
            held.next("late")
    return True


def _erase_in(held: Held, chunk_id: int) -> None:
    """Take what is to be erased out of a chunk, and out of those with the same answers."""
    for each in (chunk_id, *_others(held, chunk_id)):
        counts = None
        while counts is None:
            with held.step() as connection:
                counts = erase_in_chunk(connection, held.id, each, held.targets(connection))
                held.counts.update(counts or {})


def _others(held: Held, chunk_id: int) -> list[int]:
    with held.database.read() as connection:
        return about_same_answers(connection, chunk_id)


def _late(held: Held) -> bool:
    with held.step() as connection:
        found = next_targets(connection, held.id, [LATE], FILES_AT_ONCE)
        if not found:
            held.next("past")
            return True
    ended = [one for one in found if not _still_runs(held, one[1])]
    for _, value in ended:
        _erase_in(held, int(value.partition(":")[0]))
    with held.step() as connection:
        drop_targets(connection, held.id, ended)
    return bool(ended)


def _still_runs(held: Held, value: str) -> bool:
    chunk_id, _, attempts = value.partition(":")
    chunk = t.chunk.c
    same = (chunk.id == int(chunk_id), chunk.attempts == int(attempts), chunk.state == ChunkState.RUNNING)
    with held.database.read() as connection:
        return connection.execute(select(chunk.id).where(*same)).first() is not None


def _past(held: Held) -> bool:
    with held.step() as connection:
        targets = held.targets(connection)
        reached, shown = erase_in_past(connection, held.position, held.names, targets, CHUNKS_AT_ONCE)
        held.counts.update(shown=shown)
        if reached is None:
            held.next("files")
        else:
            held.position = reached
    return True


_STEPS: dict[str, Callable[[Held], bool]] = {
    "supports": _supports,
    "pictures": _pictures,
    "chunks": _chunks,
    "late": _late,
    "past": _past,
}


def _files(held: Held, blobs: Blobs, without: Without) -> bool:
    with held.database.read() as connection:
        found = next_targets(connection, held.id, FILES, FILES_AT_ONCE)
    if not found:
        held.finish()
        return False
    with held.step() as connection:
        for kind, value in found:
            _remove(held, connection, blobs, without, (kind, value))
        drop_targets(connection, held.id, found)
    return True


def _remove(
    held: Held, connection: Connection, blobs: Blobs, without: Without, target: tuple[str, str]
) -> None:
    kind, value = target
    if kind == PICTURE:
        if is_held(connection, value, _waits_for(value)):
            held.elsewhere.append(value)
            return
        blobs.remove(PICTURES, value)
        _forget_elsewhere(connection, value)
        held.counts["pictures"] += 1
    elif kind == THUMBNAIL:
        if not is_shown(connection, value):
            blobs.remove(THUMBNAILS, value)
            held.counts["thumbnails"] += 1
    else:
        job_id, _, name = value.partition("/")
        if kind == UPLOAD:
            blobs.remove(uploads_of(job_id), name)
        elif kind == PART:
            name, start, size = name.split(":")
            blobs.blank(uploads_of(job_id), name, int(start), int(size))
        else:
            _replace_kept(held, connection, blobs, without, (job_id, name))
        held.counts["uploads"] += 1


def _forget_elsewhere(connection: Connection, digest: str) -> None:
    """Take a digest out of earlier receipts: now nobody has that picture any more."""
    erasure = t.erasure.c
    naming = select(erasure.id, erasure.elsewhere).where(cast(erasure.elsewhere, Text).contains(digest))
    for row in connection.execute(naming).all():
        left = [one for one in row.elsewhere if one != digest]
        connection.execute(update(t.erasure).where(erasure.id == row.id).values(elsewhere=left))


def _replace_kept(
    held: Held, connection: Connection, blobs: Blobs, without: Without, kept: tuple[str, str]
) -> None:
    """Replace the smoothing inputs of a chunk by those of its other items."""
    job_id, name = kept
    folder = uploads_of(job_id)
    targets = held.targets(connection)
    items = [item for of_job, item in targets.items if of_job == job_id]
    try:
        left = blobs.put(folder, without(blobs.get(folder, name), items))
    except ExemplarError as error:
        if error.code != "blob_not_found":  # the job is deleted, or an earlier worker came this far
            raise
        return
    of_chunk = (t.tally.c.job_id == job_id, t.tally.c.kept == name)
    connection.execute(update(t.tally).where(*of_chunk).values(kept=left))
    if left != name:  # removed once no row names it any more
        add_targets(connection, held.id, [(UPLOAD, f"{job_id}/{name}")])


def _waits_for(digest: str) -> Any:
    """Return the condition that a chunk is to enrol or embed the picture of a support."""
    keeping = t.job.c.kind.in_(kinds_that(lambda kind: kind.keeps_pictures))
    return keeping & t.chunk.c.state.not_in(FINAL_CHUNK) & cast(t.chunk.c.inputs, Text).contains(digest)
