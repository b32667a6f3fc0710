"""Objects of object storage, read as pictures."""

from __future__ import annotations

from core.errors import ExemplarError
from core.settings import Settings
from formats.remote_errors import remote_error


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
    import fsspec  # noqa: PLC0415 - the API reads few objects

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
