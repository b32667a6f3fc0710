"""Where the bytes of an item come from: a blob, a pack of blobs, a file of the server's, or elsewhere."""

from __future__ import annotations

import fsspec

from core.errors import ExemplarError
from core.roots import read_file
from core.settings import Settings
from core.types import Chunk, Item, JobKind
from store.blobs import PICTURES, uploads_of
from store.store import Store


def read_content(store: Store, settings: Settings, chunk: Chunk, item: Item) -> bytes:
    """Return the bytes of an item's picture; raises why there are none."""
    if item.place is None:
        folder = PICTURES if chunk.kind is JobKind.ENROLL else uploads_of(chunk.job_id)
        return store.blobs.get(folder, item.picture or "")
    kind, _, rest = item.place.partition(":")
    if kind == "pack":
        digest, start, size = rest.split(":")
        return store.blobs.get(uploads_of(chunk.job_id), digest, int(start), int(start) + int(size))
    if kind == "file":
        return read_file(rest, settings.roots, max_bytes=settings.max_picture_bytes)
    if kind in ("http", "https"):
        return fetch(item.place)
    return read_remote(item.place, settings)


def fetch(url: str) -> bytes:
    """Return what a URL gives. Nothing is fetched in this version: raises `url_fetch_off`."""
    raise ExemplarError("url_fetch_off", "this service does not fetch pictures by URL; upload them")


def read_remote(url: str, settings: Settings) -> bytes:
    """Return the bytes of a URL that fsspec reads, s3:// say, under the prefixes that the settings allow.

    Raises `url_not_allowed`, `picture_too_many_bytes`, or `picture_unreadable` where it is not there.
    """
    allowed = any(url.startswith(prefix) for prefix in settings.remote_prefixes)
    if not allowed or ".." in url.split("/") or "::" in url:
        raise ExemplarError(
            "url_not_allowed", "expected a URL under EXEMPLAR_REMOTE_PREFIXES; this one is not allowed"
        )
    try:
        files, path = fsspec.core.url_to_fs(url)
        content: bytes = files.cat_file(path, 0, settings.max_picture_bytes + 1)
    except FileNotFoundError as error:
        raise ExemplarError("picture_unreadable", "there is no such object") from error
    except Exception as error:  # the boundary to any file system: each raises its own
        raise ExemplarError("picture_unreadable", f"the object could not be read: {error}"[:300]) from error
    if len(content) > settings.max_picture_bytes:
        raise ExemplarError(
            "picture_too_many_bytes", f"expected a picture of at most {settings.max_picture_bytes} bytes"
        )
    return content
