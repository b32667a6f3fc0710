"""The last phase of an erasure: pictures, thumbnails, uploads and smoothing inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Text, cast, select, update

from core.errors import ExemplarError
from store import tables as t
from store.blobs import PICTURES, THUMBNAILS, Blobs, uploads_of
from store.erasure.held import Held
from store.erasure.held_files import Files, Newest, held_files, newest
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

AT_ONCE = 200
KINDS_OF_FILES = (KEPT, PART, UPLOAD, PICTURE, THUMBNAIL)

Without = Callable[[bytes, Sequence[int]], bytes]
"""Smoothing inputs without some items."""


def erase_files(held: Held, blobs: Blobs, without: Without) -> bool:
    """Remove the next files, or finish the erasure; return whether to go on."""
    with held.database.read() as connection:
        found = next_targets(connection, held.id, KINDS_OF_FILES, AT_ONCE)
        files, seen = _files(found), newest(connection)
        others = held_files(connection, files, Newest())  # takes long, so no lock is held meanwhile
    if not found:
        held.finish()
        return False
    with held.step() as connection:
        others |= held_files(connection, files, seen)
        for kind, value in found:
            if kind == PICTURE:
                _remove_picture(held, connection, blobs, value, is_held=value in others.pictures)
            elif kind == THUMBNAIL and value not in others.thumbnails:
                blobs.remove(THUMBNAILS, value)
                held.counts["thumbnails"] += 1
            elif kind != THUMBNAIL:
                _remove_upload(held, connection, blobs, without, (kind, value))
        drop_targets(connection, held.id, found)
    return True


def _files(found: Sequence[tuple[str, str]]) -> Files:
    pictures, thumbnails = (
        frozenset(value for kind, value in found if kind == wanted) for wanted in (PICTURE, THUMBNAIL)
    )
    return Files(pictures, thumbnails)


def _remove_picture(held: Held, connection: Connection, blobs: Blobs, digest: str, *, is_held: bool) -> None:
    if is_held:
        held.elsewhere.append(digest)
        return
    blobs.remove(PICTURES, digest)
    _forget_elsewhere(connection, digest)
    held.counts["pictures"] += 1


def _remove_upload(
    held: Held, connection: Connection, blobs: Blobs, without: Without, target: tuple[str, str]
) -> None:
    kind, value = target
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
