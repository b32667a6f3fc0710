"""The last phase of an erasure: pictures, thumbnails, uploads and smoothing inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Text, cast, select, update

from core.errors import ExemplarError
from store import tables as t
from store.blobs import PICTURES, THUMBNAILS, Blobs, uploads_of
from store.erasure.held import Held
from store.erasure.supports import is_held, is_shown
from store.erasure.targets import (
    KEPT,
    PART,
    PICTURE,
    THUMBNAIL,
    UPLOAD,
    add_targets,
    drop_targets,
    next_targets,
)
from store.work.kinds import kinds_that
from store.work.states import FINAL_CHUNK

AT_ONCE = 100
KINDS_OF_FILES = (KEPT, PART, UPLOAD, PICTURE, THUMBNAIL)

Without = Callable[[bytes, Sequence[int]], bytes]
"""Smoothing inputs without some items."""


def erase_files(held: Held, blobs: Blobs, without: Without) -> bool:
    """Remove the next files, or finish the erasure; return whether to go on."""
    with held.database.read() as connection:
        found = next_targets(connection, held.id, KINDS_OF_FILES, AT_ONCE)
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
