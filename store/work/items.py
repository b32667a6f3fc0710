"""The items of jobs as they were accepted, and their stored bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, select

from core.errors import ExemplarError
from core.types import ChunkState, Item, Job, JobKind
from store import tables as t
from store.blobs import PICTURES, Blobs, uploads_of
from store.database import Database
from store.work.kinds import folder_of_pictures
from store.work.packing import unpack_items
from store.work.rows import overlaps, require_job

MOST = 2**31 - 1  # the greatest item number that the record can hold


def find_read_picture(database: Database, blobs: Blobs, job_id: str, number: int) -> bytes:
    """Return the bytes of an item's picture that a worker has already decoded safely.

    Raises `job_not_found`; `item_not_found` if the job has no such item, or it failed or still waits; and
    `blob_not_found` if its bytes were never stored here, as those of a URL or a server folder.
    """
    job, [item] = _read_items(database, job_id, [number])
    return stored_picture(blobs, job.kind, job_id, item)


def keep_pictures(database: Database, blobs: Blobs, job_id: str, numbers: Sequence[int]) -> dict[int, str]:
    """Keep the pictures of items for supports, and return their names by item.

    Raises as `find_read_picture` does, naming the item.
    """
    job, items = _read_items(database, job_id, sorted(set(numbers)))
    kept: dict[int, str] = {}
    for item in items:
        try:
            kept[item.index] = blobs.put(PICTURES, stored_picture(blobs, job.kind, job_id, item))
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


def stored_picture(blobs: Blobs, kind: JobKind, job_id: str, item: Item) -> bytes:
    """Return the bytes of an item that are stored as a blob or within one; raises `blob_not_found`."""
    if item.place is None:
        return blobs.get(folder_of_pictures(kind, job_id), item.picture or "")
    scheme, _, rest = item.place.partition(":")
    if scheme != "pack":
        raise ExemplarError("blob_not_found", "the picture was read from elsewhere and is not stored here")
    digest, start, size = rest.split(":")
    return blobs.get(uploads_of(job_id), digest, int(start), int(start) + int(size))
