"""Blobs: the bytes of pictures and thumbnails, named by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from core.errors import ExemplarError
from runtime.files import make_folder, write_durably, write_parts_durably

_DIGEST = re.compile(r"[0-9a-f]{64}")
PICTURES = "pictures"
THUMBNAILS = "thumbnails"
SHARED = (PICTURES, THUMBNAILS)  # folders that grow without end
_DRIVERS = {"aiobotocore", "aiohttp", "botocore"}  # of S3; not all of their errors are OSErrors


def uploads_of(job_id: str) -> str:
    """Return the folder of a job's own uploads, which goes when the job goes."""
    return f"uploads/{job_id}"


def digest_of(content: bytes) -> str:
    """Return the name of a blob."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file among the blobs: where it is, its name, and how long ago it was written."""

    path: str
    name: str
    age_s: float


class BlobFile:
    """A blob that is open; raises `blobs_unavailable` where it cannot be read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        """Return up to so many bytes."""
        with _told("the bytes could not be read"):
            return self._file.read(size)

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
        # a list of files that was true a while ago would hide what other processes wrote since
        self._files, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        self._root = cast(str, root).rstrip("/")
        self._local = isinstance(self._files, LocalFileSystem)

    def put(self, folder: str, content: bytes) -> str:
        """Keep bytes and return their digest; they survive a power cut once this returns.

        Raises `blobs_unavailable`.
        """
        digest = digest_of(content)
        path = self._path(folder, digest)
        with _told("the picture could not be kept"):
            if not self._local:
                self._files.pipe_file(path, content)
            elif not _touched(path):
                make_folder(os.path.dirname(path))
                write_durably(path, content)
        return digest

    def put_stream(self, folder: str, parts: Iterable[bytes]) -> str:
        """Keep what comes in parts, never whole in memory, and return a name made for it.

        It survives a power cut once this returns. Raises `blobs_unavailable`, and what `parts` raises.
        """
        name = secrets.token_hex(32)
        path = self._path(folder, name)
        with _told("the upload could not be kept"):
            if self._local:
                make_folder(os.path.dirname(path))
                write_parts_durably(path, parts)
            else:
                self._write_parts(path, parts)
        return name

    def _write_parts(self, path: str, parts: Iterable[bytes]) -> None:
        file = self._files.open(path, "wb", autocommit=False)  # closing it would keep half an upload
        try:
            for part in parts:
                file.write(part)
            file.close()
            file.commit()
        except BaseException:
            with suppress(Exception):  # the first error is the one to raise
                file.discard()
            raise

    def open(self, folder: str, name: str) -> BlobFile:
        """Open a blob to read here and there in it; raises `blob_not_found` or `blobs_unavailable`."""
        try:
            with _told("the bytes could not be read", but=FileNotFoundError):
                return BlobFile(self._files.open(self._path(folder, name), "rb"))
        except FileNotFoundError as error:
            raise ExemplarError("blob_not_found", "the bytes of the upload are not here") from error

    def remove(self, folder: str, name: str) -> None:
        """Remove a blob; one that is not there is no error. Raises `blobs_unavailable`."""
        self.remove_file(self._path(folder, name))

    def remove_file(self, path: str) -> None:
        """Remove a file that was found; one that is not there is no error. Raises `blobs_unavailable`."""
        with suppress(FileNotFoundError), _told("an upload could not be removed", but=FileNotFoundError):
            self._files.rm_file(path)

    def get(self, folder: str, digest: str, start: int | None = None, end: int | None = None) -> bytes:
        """Return bytes that were kept, or those from `start` to `end`.

        Raises `blob_not_found` or `blobs_unavailable`.
        """
        try:
            with _told("the bytes could not be read", but=FileNotFoundError):
                # by name: s3fs has another parameter between them
                return cast(bytes, self._files.cat_file(self._path(folder, digest), start=start, end=end))
        except FileNotFoundError as error:
            raise ExemplarError(
                "blob_not_found", f"the bytes of picture {digest[:12]} are not here"
            ) from error

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with all its blobs; one that is not there is no error.

        Raises `blobs_unavailable`.
        """
        path = f"{self._root}/{folder}"
        # another process may remove it too
        with suppress(FileNotFoundError), _told("pictures could not be removed", but=FileNotFoundError):
            if self._files.exists(path):
                self._files.rm(path, recursive=True)

    def jobs_with_uploads(self) -> list[str]:
        """Return the ids of the jobs that have uploads here. Raises `blobs_unavailable`."""
        try:
            with _told("uploads could not be listed", but=FileNotFoundError):
                names = self._files.ls(f"{self._root}/uploads", detail=False)
        except FileNotFoundError:
            return []
        return [name.rstrip("/").rpartition("/")[2] for name in names]

    def files(self, folder: str) -> list[FoundFile]:
        """Return every file in a folder and those below it. Raises `blobs_unavailable`."""
        with _told("files could not be listed"):
            found = self._files.find(f"{self._root}/{folder}", detail=True)
        now = time.time()
        return [
            FoundFile(path, path.rpartition("/")[2], now - _written_at(about))
            for path, about in found.items()
        ]

    def age_s(self, file: FoundFile) -> float:
        """Return how long ago a file was written, as it is now; 0.0 where it has gone."""
        try:
            with _told("a file could not be looked at", but=FileNotFoundError):
                return time.time() - _written_at(self._files.info(file.path))
        except FileNotFoundError:
            return 0.0

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


def _touched(path: str) -> bool:
    """Return whether a file is there; it counts as new from now on, so that it is no orphan."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _written_at(about: dict[str, Any]) -> float:
    """Return when a file was written, in seconds since 1970, as its file system calls that."""
    written = about.get("mtime") or about.get("LastModified") or about.get("created") or time.time()
    return float(written) if isinstance(written, int | float) else float(written.timestamp())


@contextmanager
def _told(what: str, *, but: type[Exception] = ExemplarError) -> Iterator[None]:
    """Tell what a file system raises as `blobs_unavailable`, and let all else pass."""
    try:
        yield
    except but:
        raise
    except Exception as error:  # the boundary to any file system
        driver = type(error).__module__.partition(".")[0]
        if not isinstance(error, OSError) and driver not in _DRIVERS:
            raise
        raise ExemplarError("blobs_unavailable", f"{what}: {error}; try again later", retry=True) from error
