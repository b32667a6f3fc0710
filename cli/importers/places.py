"""Read the pictures that a format names, from files or URLs."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import fsspec
import httpx

from cli.importers.labelled import read_file
from core.errors import ExemplarError
from core.sizes import size_text

MOST_BYTES = 64 << 20
FETCH_S = 60.0


class Places:
    """Reads pictures by path or URL; a file in `folder` takes precedence over a URL."""

    def __init__(self, folder: Path | None, manifest_folder: Path) -> None:
        self._folder = folder
        self._manifest_folder = manifest_folder

    def read(self, name: str) -> bytes:
        """Return the bytes of a picture.

        Raises `picture_missing`, `path_not_allowed`, `url_not_allowed` or `picture_too_many_bytes`.
        """
        parts = urlsplit(name)
        if len(parts.scheme) <= 1:  # a Windows drive letter is no scheme
            return read_file(self._inside(self._folder or self._manifest_folder, name))
        if self._folder is not None:
            return read_file(self._find(self._folder, unquote(parts.path)))
        if parts.scheme in ("http", "https"):
            return _fetch(name)
        if parts.scheme == "s3":
            return _fetch_object(name)
        raise ExemplarError(
            "url_not_allowed", f"expected a path, or a URL of http, https or s3, got {name!r}"
        )

    def _inside(self, folder: Path, name: str) -> Path:
        path = folder / name.replace("\\", "/")
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ExemplarError("path_not_allowed", f"expected a path inside {folder}, got {name!r}")
        return path

    def _find(self, folder: Path, path: str) -> Path:
        """Return the file that matches the longest end of a URL's path."""
        parts = PurePosixPath(path).parts[1:]
        for start in range(len(parts)):
            found = self._inside(folder, "/".join(parts[start:]))
            if found.is_file():
                return found
        raise ExemplarError("picture_missing", f"{folder} holds no {'/'.join(parts)}")


def _fetch(url: str) -> bytes:
    content = bytearray()
    try:
        with httpx.stream("GET", url, timeout=FETCH_S, follow_redirects=True) as answer:
            answer.raise_for_status()
            for part in answer.iter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    raise ExemplarError("picture_too_many_bytes", f"expected at most {size_text(MOST_BYTES)}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ExemplarError("picture_missing", f"{url}: {error}"[:300]) from error
    return bytes(content)


def _fetch_object(url: str) -> bytes:
    try:
        files, path = fsspec.core.url_to_fs(url)
        content: bytes = files.cat_file(path, 0, MOST_BYTES)
    except Exception as error:  # the boundary to any object store: each raises its own
        raise ExemplarError(
            "picture_missing", f"{url}: {error}; or name a folder with --pictures"[:300]
        ) from error
    return content
