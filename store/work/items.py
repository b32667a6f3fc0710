"""The items of jobs as they were accepted, and their stored bytes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from core.errors import ExemplarError
from core.types import MAX_CHUNK_ITEMS, ChunkState, Item, JobKind
from store import tables as t
from store.blobs import PICTURES, Blobs, uploads_of
from store.database import Database
from store.work.kinds import folder_of_pictures
from store.work.packing import unpack_items
from store.work.rows import require_job

MOST = 2**31 - 1  # the greatest item number that the record can hold


def find_read_picture(database: Database, blobs: Blobs, job_id: str, number: int) -> bytes:
    """Return the bytes of an item's picture that a worker has already decoded safely.

    Raises `job_not_found`; `item_not_found` if the job has no such item, or it failed or still waits; and
    `blob_not_found` if its bytes were never stored here, as those of a URL or a server folder.
    """
    chunk = t.chunk.c
    which = (
        chunk.job_id == job_id,
        chunk.first_item > number - MAX_CHUNK_ITEMS,  # a range that the index covers
        chunk.first_item <= number,
        chunk.first_item + chunk.size > number,
        chunk.state == ChunkState.SETTLED,
    )
    with database.read() as connection:
        job = require_job(connection, job_id)
        row = None
        if number <= MOST:
            row = connection.execute(select(chunk.inputs, chunk.results).where(*which)).first()
    done = () if row is None else [one["item"] for one in row.results if one["status"] == "done"]
    if row is None or number not in done:
        raise ExemplarError(
            "item_not_found", f"expected an item of this job that is done, got {number}; see its results"
        )
    [item] = [item for item in unpack_items(row.inputs) if item.index == number]
    return stored_picture(blobs, job.kind, job_id, item)


def keep_pictures(database: Database, blobs: Blobs, job_id: str, items: Sequence[int]) -> dict[int, str]:
    """Keep the pictures of items for supports, and return their names by item.

    Raises as `find_read_picture` does, naming the item.
    """
    kept: dict[int, str] = {}
    for item in items:
        try:
            kept[item] = blobs.put(PICTURES, find_read_picture(database, blobs, job_id, item))
        except ExemplarError as error:
            if error.code != "blob_not_found":
                raise
            raise ExemplarError(
                "blob_not_found",
                f"the picture of item {item} is not kept with this job: {error}; enrol its file instead",
            ) from error
    return kept


def stored_picture(blobs: Blobs, kind: JobKind, job_id: str, item: Item) -> bytes:
    """Return the bytes of an item that are stored as a blob or within one; raises `blob_not_found`."""
    if item.place is None:
        return blobs.get(folder_of_pictures(kind, job_id), item.picture or "")
    scheme, _, rest = item.place.partition(":")
    if scheme != "pack":
        raise ExemplarError("blob_not_found", "the picture was read from elsewhere and is not stored here")
    digest, start, size = rest.split(":")
    return blobs.get(uploads_of(job_id), digest, int(start), int(start) + int(size))
