"""Read the bytes of an item: from a blob, a pack of blobs, a file on the server, or a remote object."""

from __future__ import annotations

import fsspec

from core.errors import ExemplarError
from core.settings import Settings
from core.types import Chunk, Item, is_web_url
from formats.remote_errors import remote_error
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
    if item.place is None or item.place.startswith(("pack:", "file:")):
        return read_picture(store.blobs, settings, chunk.kind, chunk.job_id, item)
    if is_web_url(item.place):  # accepted by a version without URL fetching
        raise ExemplarError("url_fetch_off", "this picture was never fetched; submit it again")
    return read_remote(item.place, settings)


def read_remote(url: str, settings: Settings) -> bytes:
    """Return the bytes of a URL that fsspec reads, s3:// for instance, under an allowed prefix.

    Raises `url_not_allowed`, `picture_too_many_bytes`, `picture_unreadable` if it is missing or denied,
    `package_missing`, and `remote_unavailable` (retry) for a transient failure.
    """
    allowed = any(url.startswith(prefix) for prefix in settings.remote_prefixes)
    if not allowed or ".." in url.split("/") or "::" in url:
        raise ExemplarError(
            "url_not_allowed", "expected a URL under EXEMPLAR_REMOTE_PREFIXES; this one is not allowed"
        )
    try:
        files, path = fsspec.core.url_to_fs(url)
        content: bytes = files.cat_file(path, start=0, end=settings.max_picture_bytes + 1)
    except Exception as error:  # the boundary to any file system: each raises its own
        raise remote_error(error, url) from error
    if len(content) > settings.max_picture_bytes:
        raise ExemplarError(
            "picture_too_many_bytes", f"expected a picture of at most {settings.max_picture_bytes} bytes"
        )
    return content
