"""Read the bytes of an item: from a blob, a pack of blobs, a file on the server, or a remote object."""

from __future__ import annotations

from core.errors import ExemplarError
from core.jobs import Chunk, Item, is_web_url
from core.settings import Settings
from store.store import Store
from store.work.items import read_picture


def read_content(store: Store, settings: Settings, chunk: Chunk, item: Item) -> bytes:
    """Return the bytes of an item's picture; raises ExemplarError for any failure."""
    try:
        return _read(store, settings, chunk, item)
    except ExemplarError:
        raise
    except Exception as error:  # the boundary of one item: the other items must continue
        raise ExemplarError(
            "picture_unreadable", f"the picture's place cannot be read: {error}"[:300]
        ) from error


def _read(store: Store, settings: Settings, chunk: Chunk, item: Item) -> bytes:
    if is_web_url(item.place):  # accepted by a version without URL fetching
        raise ExemplarError("url_fetch_off", "this picture was never fetched; submit it again")
    return read_picture(store.blobs, settings, chunk.kind, chunk.job_id, item)
