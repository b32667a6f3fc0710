"""Blobs: the bytes of pictures and thumbnails, named by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from typing import cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from core.errors import ExemplarError
from core.files import make_folder, write_durably

_DIGEST = re.compile(r"[0-9a-f]{64}")
PICTURES = "pictures"
THUMBNAILS = "thumbnails"
SHARED = (PICTURES, THUMBNAILS)  # folders that grow without end


def uploads_of(job_id: str) -> str:
    """Return the folder of a job's own uploads, which goes when the job goes."""
    return f"uploads/{job_id}"


def digest_of(content: bytes) -> str:
    """Return the name of a blob."""
    return hashlib.sha256(content).hexdigest()


class Blobs:
    """Folders of content-addressed files on any fsspec file system."""

    def __init__(self, url: str) -> None:
        self._files, root = fsspec.core.url_to_fs(url)
        self._root = cast(str, root).rstrip("/")
        self._local = isinstance(self._files, LocalFileSystem)

    def put(self, folder: str, content: bytes) -> str:
        """Keep bytes and return their digest; they survive a power cut once this returns.

        Raises `blobs_unavailable`.
        """
        digest = digest_of(content)
        path = self._path(folder, digest)
        try:
            if not self._local:
                self._files.pipe_file(path, content)
            elif not os.path.exists(path):
                make_folder(os.path.dirname(path))
                write_durably(path, content)
        except OSError as error:
            raise ExemplarError(
                "blobs_unavailable", f"the picture could not be kept: {error}; try again later", retry=True
            ) from error
        return digest

    def get(self, folder: str, digest: str) -> bytes:
        """Return bytes that were kept; raises `blob_not_found` or `blobs_unavailable`."""
        try:
            return cast(bytes, self._files.cat_file(self._path(folder, digest)))
        except FileNotFoundError as error:
            raise ExemplarError(
                "blob_not_found", f"the bytes of picture {digest[:12]} are not here"
            ) from error
        except OSError as error:
            raise ExemplarError(
                "blobs_unavailable", f"the picture could not be read: {error}; try again later", retry=True
            ) from error

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with all its blobs; one that is not there is no error.

        Raises `blobs_unavailable`.
        """
        path = f"{self._root}/{folder}"
        try:
            if self._files.exists(path):
                self._files.rm(path, recursive=True)
        except FileNotFoundError:  # another process removes it too
            return
        except OSError as error:
            raise ExemplarError(
                "blobs_unavailable", f"pictures could not be removed: {error}; try again later", retry=True
            ) from error

    def check(self) -> None:
        """Raise `blobs_unavailable` unless a blob can be written."""
        folder = f"probe/{secrets.token_hex(8)}"
        self.put(folder, b"probe")
        self.remove_folder(folder)

    def _path(self, folder: str, digest: str) -> str:
        if _DIGEST.fullmatch(digest) is None:
            raise ExemplarError("blob_not_found", "expected a SHA-256 digest")
        fan = f"{digest[:2]}/" if folder in SHARED else ""  # each new folder costs two more fsyncs
        return f"{self._root}/{folder}/{fan}{digest}"
