"""The phases of an erasure: each step is one transaction, so that a killed worker's successor goes on.

1. `supports`: tombstones in the place of supports, collection by collection
2. `pictures`: what items with the external id show, so that the same pictures are found elsewhere
3. `chunks`: items, results, vectors, reviews and idempotency keys of jobs
4. `late`: chunks that were being answered meanwhile, once they are settled
5. `past`: earlier versions of answers
6. `files`: pictures, thumbnails, uploads and smoothing inputs
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, select

from core.jobs import ChunkState, JobKind
from store import tables as t
from store.blobs import Blobs
from store.erasure.chunks import (
    about_same_answers,
    concerns,
    erase_in_chunk,
    erase_in_past,
    pictures_named,
    slice_of,
)
from store.erasure.files import Without, erase_files
from store.erasure.held import Held
from store.erasure.supports import erase_supports
from store.erasure.targets import LATE, PICTURE, SUPPORT, add_targets, drop_targets, in_scope, next_targets

SUPPORTS_AT_ONCE = 500
CHUNKS_AT_ONCE = 32
LATE_AT_ONCE = 100
FIRST = "supports"


def advance(held: Held, blobs: Blobs, without: Without) -> bool:
    """Do one step; return whether to go on at once: else the erasure is done, or waits for running work.

    Raises `LeaseLostError`, `record_unavailable` and `blobs_unavailable`.
    """
    if held.phase == "files":
        return erase_files(held, blobs, without)
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
        held.counts.update(supports=sum(kind == SUPPORT for kind, _ in erased))
        if not any(kind == SUPPORT for kind, _ in erased):
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
        found = next_targets(connection, held.id, [LATE], LATE_AT_ONCE)
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
