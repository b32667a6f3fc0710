"""Read the bytes of an item: from a blob, a pack of blobs, a file on the server, or a remote object."""

from __future__ import annotations

import errno

import fsspec

from core.errors import ExemplarError
from core.settings import Settings
from core.types import Chunk, Item, is_web_url
from store.store import Store
from store.work.items import read_picture

# Errors that mean that an object will never be there; all other system errors may be transient.
_FOR_GOOD = {
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.ENAMETOOLONG,
    errno.ELOOP, errno.ENOTSUP,
}  # fmt: skip
REMOTE_UNAVAILABLE = "remote_unavailable"
_PASSING = {408, 425, 429}  # transient HTTP statuses, in addition to 500 and above


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
    and `remote_unavailable` (retry) for a transient failure.
    """
    allowed = any(url.startswith(prefix) for prefix in settings.remote_prefixes)
    if not allowed or ".." in url.split("/") or "::" in url:
        raise ExemplarError(
            "url_not_allowed", "expected a URL under EXEMPLAR_REMOTE_PREFIXES; this one is not allowed"
        )
    try:
        files, path = fsspec.core.url_to_fs(url)
        content: bytes = files.cat_file(path, start=0, end=settings.max_picture_bytes + 1)
    except FileNotFoundError as error:
        raise ExemplarError("picture_unreadable", "there is no such object") from error
    except Exception as error:  # the boundary to any file system: each raises its own
        if _may_pass(error):
            raise ExemplarError(
                REMOTE_UNAVAILABLE, f"the object could not be read now: {error}"[:300], retry=True
            ) from error
        raise ExemplarError("picture_unreadable", f"the object could not be read: {error}"[:300]) from error
    if len(content) > settings.max_picture_bytes:
        raise ExemplarError(
            "picture_too_many_bytes", f"expected a picture of at most {settings.max_picture_bytes} bytes"
        )
    return content


def _may_pass(error: BaseException) -> bool:
    """Return whether an error is transient: a time-out, a broken connection, or a status 5xx."""
    status = _status(error)
    if status is not None:
        return status >= 500 or status in _PASSING
    if isinstance(error, (TimeoutError, ConnectionError)):
        return True
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError | PermissionError):
        return error.errno not in _FOR_GOOD
    # the cloud clients share no base class: botocore's ConnectTimeoutError, aiohttp's ClientConnectionError
    names = [kind.__name__ for kind in type(error).__mro__]
    return any("Timeout" in name or "Connection" in name for name in names)


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of a cloud client's error, whatever its attribute is called."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        return _number(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    for name in ("status", "status_code", "code"):  # aiohttp, azure, gcsfs
        number = _number(getattr(error, name, None))
        if number is not None:
            return number
    return None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and 100 <= value < 600 else None
