"""Blobs: the bytes of pictures and thumbnails, named by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable
from typing import BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from core.errors import ExemplarError
from core.files import make_folder, write_durably, write_parts_durably

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


class BlobFile:
    """A blob that is open; raises `blobs_unavailable` where it cannot be read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        """Return up to so many bytes."""
        try:
            return self._file.read(size)
        except OSError as error:
            raise _unreadable(error) from error

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go elsewhere; raises OSError where there is no such place, as files do."""
        try:
            return self._file.seek(offset, whence)
        except ValueError as error:
            raise OSError(str(error)) from error

    def tell(self) -> int:
        """Return where we are."""
        return self._file.tell()

    def close(self) -> None:
        """Close it."""
        self._file.close()


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

    def put_stream(self, folder: str, parts: Iterable[bytes]) -> str:
        """Keep what comes in parts, never whole in memory, and return a name made for it.

        It survives a power cut once this returns. Raises `blobs_unavailable`, and what `parts` raises.
        """
        name = secrets.token_hex(32)
        path = self._path(folder, name)
        try:
            if self._local:
                make_folder(os.path.dirname(path))
                write_parts_durably(path, parts)
            else:
                with self._files.open(path, "wb") as file:
                    for part in parts:
                        file.write(part)
        except OSError as error:
            raise ExemplarError(
                "blobs_unavailable", f"the upload could not be kept: {error}; try again later", retry=True
            ) from error
        return name

    def open(self, folder: str, name: str) -> BlobFile:
        """Open a blob to read here and there in it; raises `blob_not_found` or `blobs_unavailable`."""
        try:
            return BlobFile(self._files.open(self._path(folder, name), "rb"))
        except FileNotFoundError as error:
            raise ExemplarError("blob_not_found", "the bytes of the upload are not here") from error
        except OSError as error:
            raise _unreadable(error) from error

    def remove(self, folder: str, name: str) -> None:
        """Remove a blob; one that is not there is no error. Raises `blobs_unavailable`."""
        try:
            self._files.rm_file(self._path(folder, name))
        except FileNotFoundError:
            return
        except OSError as error:
            raise ExemplarError(
                "blobs_unavailable", f"an upload could not be removed: {error}; try again later", retry=True
            ) from error

    def get(self, folder: str, digest: str, start: int | None = None, end: int | None = None) -> bytes:
        """Return bytes that were kept, or those from `start` to `end`.

        Raises `blob_not_found` or `blobs_unavailable`.
        """
        try:
            return cast(bytes, self._files.cat_file(self._path(folder, digest), start, end))
        except FileNotFoundError as error:
            raise ExemplarError(
                "blob_not_found", f"the bytes of picture {digest[:12]} are not here"
            ) from error
        except OSError as error:
            raise _unreadable(error) from error

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

    def jobs_with_uploads(self) -> list[str]:
        """Return the ids of the jobs that have uploads here. Raises `blobs_unavailable`."""
        try:
            names = self._files.ls(f"{self._root}/uploads", detail=False)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(error) from error
        return [name.rstrip("/").rpartition("/")[2] for name in names]

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


def _unreadable(error: OSError) -> ExemplarError:
    return ExemplarError(
        "blobs_unavailable", f"the bytes could not be read: {error}; try again later", retry=True
    )
