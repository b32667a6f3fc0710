"""The items of jobs as they were accepted, and their stored bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, select

from core.errors import ExemplarError
from core.jobs import ChunkState, Item, Job, JobKind, is_web_url
from core.settings import Settings
from formats.remote_objects import read_remote
from formats.server_folders import read_file
from store import tables as t
from store.blobs import PICTURES, Blobs, uploads_of
from store.database import Database
from store.work.kinds import folder_of_pictures
from store.work.packing import unpack_items
from store.work.rows import overlaps, require_job

MOST = 2**31 - 1  # the greatest item number that the record can hold


def find_read_picture(
    database: Database, blobs: Blobs, settings: Settings, job_id: str, number: int
) -> bytes:
    """Return the bytes of an item's picture, which a worker has decoded safely (a server's file as it was).

    Raises `job_not_found`; `item_not_found` if the job has no such item, or it failed or still waits; and
    `blob_not_found` if its bytes were never stored here, or its file or object is gone.
    """
    job, [item] = _read_items(database, job_id, [number])
    return _still_there(blobs, settings, job, item)


def keep_pictures(
    database: Database, blobs: Blobs, settings: Settings, job_id: str, numbers: Sequence[int]
) -> dict[int, str]:
    """Keep the pictures of items for supports, and return their names by item.

    Raises as `find_read_picture` does, naming the item.
    """
    job, items = _read_items(database, job_id, sorted(set(numbers)))
    kept: dict[int, str] = {}
    for item in items:
        try:
            kept[item.index] = blobs.put(PICTURES, _still_there(blobs, settings, job, item))
        except ExemplarError as error:
            if error.code != "blob_not_found":
                raise
            raise ExemplarError(
                "blob_not_found",
                f"the picture of item {item.index} is not kept with this job: {error}; enrol its file",
            ) from error
    return kept


def _read_items(database: Database, job_id: str, numbers: Sequence[int]) -> tuple[Job, list[Item]]:
    """Return a job and these sorted items of it, all of which are done."""
    found: list[Item] = []
    done: dict[int, Item] = {}
    end = -1
    with database.read() as connection:
        job = require_job(connection, job_id)
        for number in numbers:
            if number >= end:
                row = None if number > MOST else connection.execute(_settled_with(job_id, number)).first()
                end = number + 1 if row is None else row.first_item + row.size
                done = {} if row is None else _done_items(row)
            if number not in done:
                raise ExemplarError(
                    "item_not_found",
                    f"expected an item of this job that is done, got {number}; see its results",
                )
            found.append(done[number])
    return job, found


def _settled_with(job_id: str, number: int) -> Select[Any]:
    """Select the settled chunk with an item."""
    chunk = t.chunk.c
    return select(chunk.first_item, chunk.size, chunk.inputs, chunk.results).where(
        overlaps(t.chunk, job_id, number, number + 1), chunk.state == ChunkState.SETTLED
    )


def _done_items(row: Row[Any]) -> dict[int, Item]:
    done = {result["item"] for result in row.results if result["status"] == "done"}
    return {item.index: item for item in unpack_items(row.inputs) if item.index in done}


def _still_there(blobs: Blobs, settings: Settings, job: Job, item: Item) -> bytes:
    try:
        return read_picture(blobs, settings, job.kind, job.id, item)
    except ExemplarError as error:
        if error.code == "blob_not_found":
            raise
        raise ExemplarError("blob_not_found", f"the picture cannot be read any more: {error}") from error


def read_picture(blobs: Blobs, settings: Settings, kind: JobKind, job_id: str, item: Item) -> bytes:
    """Return the bytes of an item: a blob, a part of one, a file of a server folder, or an object.

    Raises `blob_not_found` for an item that is elsewhere, and as `read_file` and `read_remote` do.
    """
    if item.place is None:
        return blobs.get(folder_of_pictures(kind, job_id), item.picture or "")
    scheme, _, rest = item.place.partition(":")
    if scheme == "file":
        return read_file(rest, settings.roots, max_bytes=settings.max_picture_bytes)
    if is_web_url(item.place):
        raise ExemplarError("blob_not_found", "the picture was read from elsewhere and is not stored here")
    if scheme != "pack":
        return read_remote(item.place, settings)
    digest, start, size = rest.split(":")
    return blobs.get(uploads_of(job_id), digest, int(start), int(start) + int(size))
