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
from runtime.files import make_folder, sync_all, write, write_parts_durably

_DIGEST = re.compile(r"[0-9a-f]{64}")
LOCAL = "file://"
PICTURES = "pictures"
THUMBNAILS = "thumbnails"
SHARED = (PICTURES, THUMBNAILS)  # folders with one subfolder per digest prefix, since they grow without limit
_DRIVERS = {"aiobotocore", "aiohttp", "botocore"}  # of S3; some of their errors are not OSErrors


def uploads_of(job_id: str) -> str:
    """Return the folder of a job's own uploads, which is deleted with the job."""
    return f"uploads/{job_id}"


def digest_of(content: bytes) -> str:
    """Return the name of a blob."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file among the blobs: its path, its name, and its age."""

    path: str
    name: str
    age_s: float


class BlobFile:
    """An open blob; raises `blobs_unavailable` if it cannot be read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        """Return up to so many bytes."""
        with _translate_errors("the bytes could not be read"):
            return self._file.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Change the position; raises OSError for an invalid one, as files do."""
        try:
            return self._file.seek(offset, whence)
        except ValueError as error:
            raise OSError(str(error)) from error

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def close(self) -> None:
        """Close it."""
        self._file.close()


class Blobs:
    """Folders of content-addressed files on any fsspec file system."""

    def __init__(self, url: str) -> None:
        if url.startswith(LOCAL):  # fsspec would take `::` in a path for a chain of file systems
            self._files, root = LocalFileSystem(), os.path.abspath(url.removeprefix(LOCAL))
        else:  # a cached listing would hide what other processes wrote since
            self._files, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        self._root = str(root).rstrip("/")
        self._local = isinstance(self._files, LocalFileSystem)

    def put(self, folder: str, content: bytes, *, durable: bool = True) -> str:
        """Store bytes and return their digest; they are durable once this returns, or `make_durable`.

        Raises `blobs_unavailable`.
        """
        digest = digest_of(content)
        path = self._path(folder, digest)
        with _translate_errors("the picture could not be stored"):
            if not self._local:
                self._files.pipe_file(path, content)
            elif not _touched(path):
                make_folder(os.path.dirname(path), durable=durable)
                write(path, content, durable=durable)
        return digest

    def make_durable(self, folder: str, names: Iterable[str]) -> None:
        """Put blobs on disk that are there, but were not stored durably. Raises `blobs_unavailable`."""
        if self._local:
            with _translate_errors("the picture could not be stored"):
                for name in names:
                    with suppress(FileNotFoundError):  # its job has ended and is deleted
                        sync_all(self._path(folder, name), up_to=self._root)

    def put_stream(self, folder: str, parts: Iterable[bytes]) -> str:
        """Store a stream without holding it in memory, and return the name generated for it.

        It is durable once this returns. Raises `blobs_unavailable`, and what `parts` raises.
        """
        name = secrets.token_hex(32)
        path = self._path(folder, name)
        with _translate_errors("the upload could not be stored"):
            if self._local:
                make_folder(os.path.dirname(path))
                write_parts_durably(path, parts)
            else:
                self._write_parts(path, parts)
        return name

    def _write_parts(self, path: str, parts: Iterable[bytes]) -> None:
        file = self._files.open(path, "wb", autocommit=False)  # closing it would commit half an upload
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
        """Open a blob for random access; raises `blob_not_found` or `blobs_unavailable`."""
        try:
            with _translate_errors("the bytes could not be read", but=FileNotFoundError):
                return BlobFile(self._files.open(self._path(folder, name), "rb"))
        except FileNotFoundError as error:
            raise ExemplarError("blob_not_found", "the bytes of the upload are missing") from error

    def remove(self, folder: str, name: str) -> None:
        """Delete a blob; a missing one is no error. Raises `blobs_unavailable`."""
        self.remove_file(self._path(folder, name))

    def blank(self, folder: str, name: str, start: int, size: int) -> None:
        """Overwrite a part of a blob with zeros; a missing one is no error. Raises `blobs_unavailable`."""
        path = self._path(folder, name)
        with _unless_missing("an upload could not be changed"):
            if self._local:
                with open(path, "r+b") as file:
                    file.seek(start)
                    file.write(bytes(size))
                    os.fsync(file.fileno())
            else:
                content = bytearray(self._files.cat_file(path))
                content[start : start + size] = bytes(size)
                self._files.pipe_file(path, bytes(content))

    def remove_file(self, path: str) -> None:
        """Delete a file found by `files`; a missing one is no error. Raises `blobs_unavailable`."""
        with _unless_missing("an upload could not be removed"):
            self._files.rm_file(path)

    def get(self, folder: str, digest: str, start: int | None = None, end: int | None = None) -> bytes:
        """Return the bytes of a blob, or those from `start` to `end`.

        Raises `blob_not_found` or `blobs_unavailable`.
        """
        try:
            with _translate_errors("the bytes could not be read", but=FileNotFoundError):
                # keyword arguments, since s3fs has another parameter between them
                return cast(bytes, self._files.cat_file(self._path(folder, digest), start=start, end=end))
        except FileNotFoundError as error:
            raise ExemplarError(
                "blob_not_found", f"the bytes of picture {digest[:12]} are missing"
            ) from error

    def remove_folder(self, folder: str) -> None:
        """Delete a folder with all its blobs; a missing one is no error.

        Raises `blobs_unavailable`.
        """
        path = f"{self._root}/{folder}"
        with _unless_missing("pictures could not be removed"):  # another process may remove it too
            if self._files.exists(path):
                self._files.rm(path, recursive=True)

    def jobs_with_uploads(self) -> list[str]:
        """Return the ids of the jobs that have uploads. Raises `blobs_unavailable`."""
        names: list[str] = []
        with _unless_missing("uploads could not be listed"):
            names = self._files.ls(f"{self._root}/uploads", detail=False)
        return [name.rstrip("/").rpartition("/")[2] for name in names]

    def files(self, folder: str) -> list[FoundFile]:
        """Return every file in a folder and its subfolders. Raises `blobs_unavailable`."""
        with _translate_errors("files could not be listed"):
            found = self._files.find(f"{self._root}/{folder}", detail=True)
        now = time.time()
        return [
            FoundFile(path, path.rpartition("/")[2], now - _written_at(about))
            for path, about in found.items()
        ]

    def find(self, folder: str, name: str) -> FoundFile:
        """Return the place of a blob, whether it is there or not."""
        return FoundFile(self._path(folder, name), name, 0.0)

    def age_s(self, file: FoundFile) -> float:
        """Return the current age of a file; 0.0 if it was deleted."""
        with _unless_missing("the age of a file could not be read"):
            return time.time() - _written_at(self._files.info(file.path))
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
    """Return whether a file exists; renew its age, so that it is not deleted as an orphan."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _written_at(about: dict[str, Any]) -> float:
    """Return when a file was written, in seconds since 1970; the field's name depends on the file system."""
    written = about.get("mtime") or about.get("LastModified") or about.get("created") or time.time()
    return float(written) if isinstance(written, int | float) else float(written.timestamp())


@contextmanager
def _translate_errors(what: str, *, but: type[Exception] = ExemplarError) -> Iterator[None]:
    """Raise a file system's errors as `blobs_unavailable`, and let all others pass."""
    try:
        yield
    except but:
        raise
    except Exception as error:  # the boundary to any file system
        driver = type(error).__module__.partition(".")[0]
        if not isinstance(error, OSError) and driver not in _DRIVERS:
            raise
        raise ExemplarError("blobs_unavailable", f"{what}: {error}; try again later", retry=True) from error


@contextmanager
def _unless_missing(what: str) -> Iterator[None]:
    """Do nothing if there is no such file; raise other errors as `blobs_unavailable`."""
    with suppress(FileNotFoundError), _translate_errors(what, but=FileNotFoundError):
        yield
