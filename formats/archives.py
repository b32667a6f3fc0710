"""Zip and tar archives as streams of members; whatever is odd about one is its own error."""

from __future__ import annotations

import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.errors import ExemplarError
from core.picture_formats import is_video, suffix_of, video_error
from core.sizes import size_text
from formats.bounded_reader import Guarded, Seekable, unpacked
from formats.names import SYSTEM_NAMES, match_key, plain_path
from formats.zip_directory import check_entries, unicode_name

DIRECTORY_BYTES = 64 << 20  # of a zip; 500,000 pictures need less
HEADER_BYTES = 1 << 20  # of a tar's member with all its extensions
SLACK_BYTES = 1 << 20  # headers, and blocks that unpackers read ahead
NESTED = {".zip", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"}
MANIFESTS = {"manifest.jsonl": False, "manifest.ndjson": False, "manifest.csv": True}
"""Names of a manifest inside its archive, and whether it is CSV."""
MANIFEST_BYTES = 64 << 20
SKIPPED_PICTURES = 4  # a file of more than so many of the largest pictures is not unpacked to get past it
PACKINGS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # `zipfile` unpacks the others without any bound
_PACKING_NAMES = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA"}
_END_OF_TAR = bytes(tarfile.BLOCKSIZE)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive: its path there, its size as the archive says, and how to read it, or its error.

    `read` raises ExemplarError, and serves only until the next member is asked for.
    """

    path: str
    size: int
    read: Callable[[], bytes]
    error: ExemplarError | None = None


class Zip:
    """A zip archive; raises `archive_unreadable` where it is none, `items_too_many` where it is too long."""

    def __init__(self, file: Seekable, *, max_member_bytes: int, max_items: int) -> None:
        self._guard = Guarded(file)
        self._max_bytes = max_member_bytes
        self._guard.allow(DIRECTORY_BYTES)
        try:
            check_entries(self._guard, max_items=max_items)
            self._guard.allow(DIRECTORY_BYTES)
            self._zip = zipfile.ZipFile(self._guard)
        except ExemplarError:
            raise
        except Exception as error:  # the boundary to untrusted bytes: zipfile raises anything
            raise _unreadable("zip", error) from error

    def __iter__(self) -> Iterator[Member]:
        """Yield the files in the order of the archive's directory."""
        for info in self._zip.infolist():
            if not info.is_dir():
                yield self._member(info)

    def paths(self) -> list[str]:
        """Return the paths of all files."""
        return [_zip_path(info) for info in self._zip.infolist() if not info.is_dir()]

    def by_path(self) -> Callable[[str], Member | None]:
        """Return what finds a file by its path, as spelled or else in any spelling that only one file has."""
        infos = {_zip_path(info): info for info in self._zip.infolist() if not info.is_dir()}
        by_key: dict[str, zipfile.ZipInfo | None] = {}
        for path, info in infos.items():
            key = match_key(path)
            by_key[key] = None if key in by_key else info

        def find(path: str) -> Member | None:
            info = infos.get(plain_path(path)) or by_key.get(match_key(path))
            return None if info is None else self._member(info)

        return find

    def _member(self, info: zipfile.ZipInfo) -> Member:
        path = _zip_path(info)
        max_bytes = _most(path, self._max_bytes)
        error = _why_invalid(path, info.file_size, max_bytes)
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            error = ExemplarError("member_invalid", "expected a file, got a link or a device")
        elif info.flag_bits & 1:
            error = ExemplarError("member_encrypted", "expected a file that is not encrypted")
        elif info.compress_type not in PACKINGS:
            packing = _PACKING_NAMES.get(info.compress_type, f"method {info.compress_type}")
            error = ExemplarError(
                "member_invalid", f"expected a file that is stored or packed with deflate, got {packing}"
            )
        return Member(path, info.file_size, partial(self._read, info, max_bytes), error)

    def _read(self, info: zipfile.ZipInfo, max_bytes: int) -> bytes:
        self._guard.allow(max_bytes + SLACK_BYTES)
        try:
            with self._zip.open(info) as file:
                return _capped(file.read(min(info.file_size, max_bytes) + 1), max_bytes)
        except ExemplarError as error:
            raise error if error.retry else _broken(error) from error
        except Exception as error:  # the boundary to untrusted bytes: zipfile raises anything
            raise _broken(error) from error


class Tar:
    """A tar archive, packed or not, read once from its front; raises `archive_unreadable` for any other."""

    def __init__(self, file: Seekable, *, max_member_bytes: int, max_bytes: int) -> None:
        self._max_bytes = max_member_bytes
        self._guard = unpacked(file, max_bytes=max_bytes)
        self._largest = max(SKIPPED_PICTURES * max_member_bytes, MANIFEST_BYTES)
        self._too_large_size = 0
        self._guard.allow(HEADER_BYTES)
        try:
            self._tar = tarfile.open(fileobj=self._guard, mode="r:")  # type: ignore[call-overload]  # noqa: SIM115
        except ExemplarError:
            raise
        except Exception as error:  # the boundary to untrusted bytes: tarfile raises anything
            raise _unreadable("zip, or a tar as it is or packed with gzip, bzip2 or xz", error) from error

    def __iter__(self) -> Iterator[Member]:
        """Yield the files; raises `archive_unreadable` where the archive breaks off.

        Raises `archive_too_large` after a file that would have to be unpacked, though it is far too large.
        """
        while (info := self._next()) is not None:
            if not info.isdir():
                yield self._member(info)

    def _next(self) -> tarfile.TarInfo | None:
        if self._too_large_size:
            raise ExemplarError(
                "archive_too_large",
                f"expected no file of more than {size_text(self._largest)} in a packed tar, got one of "
                f"{size_text(self._too_large_size)}; what comes after it is left out",
            )
        self._guard.allow(HEADER_BYTES)
        try:
            info: tarfile.TarInfo | None = self._tar.next()
        except ExemplarError:
            raise
        except Exception as error:  # the boundary to untrusted bytes: tarfile raises anything
            raise ExemplarError(
                "archive_unreadable", f"the archive is broken or cut off here: {error}"
            ) from error
        self._tar.members.clear()  # tarfile would keep every one
        if info is None and self._guard.last != _END_OF_TAR:
            raise ExemplarError(
                "archive_unreadable", "the archive breaks off here, without the mark that ends a tar"
            )
        if info is not None and info.size > self._largest and self._guard.is_packed:
            self._too_large_size = info.size
        return info

    def _member(self, info: tarfile.TarInfo) -> Member:
        path = plain_path(info.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        max_bytes = _most(path, self._max_bytes)
        error = _why_invalid(path, info.size, max_bytes)
        if not info.isreg() or info.issparse():
            error = ExemplarError("member_invalid", "expected a file, got a link, a device or a sparse file")
        return Member(path, info.size, partial(self._read, info, max_bytes), error)

    def _read(self, info: tarfile.TarInfo, max_bytes: int) -> bytes:
        self._guard.allow(max_bytes + SLACK_BYTES)
        try:
            file: Any = self._tar.extractfile(info)
            return _capped(file.read(min(info.size, max_bytes) + 1), max_bytes)
        except ExemplarError as error:
            raise error if error.retry else _broken(error) from error
        except Exception as error:  # the boundary to untrusted bytes: tarfile raises anything
            raise _broken(error) from error


def open_archive(file: Seekable, *, max_member_bytes: int, max_bytes: int, max_items: int) -> Zip | Tar:
    """Open a zip or a tar by what it is, whatever it is called.

    Raises `archive_unreadable`, or `items_too_many` for a zip of more than `max_items` entries.
    """
    begin = file.read(4)
    file.seek(0)
    if begin in (b"PK\x03\x04", b"PK\x05\x06"):
        return Zip(file, max_member_bytes=max_member_bytes, max_items=max_items)
    return Tar(file, max_member_bytes=max_member_bytes, max_bytes=max_bytes)


def is_left_out(path: str) -> bool:
    """Say whether a file is hidden, or one that systems leave behind."""
    return any(
        (part.startswith(".") and part != "..") or part.lower() in SYSTEM_NAMES for part in path.split("/")
    )


def _zip_path(info: zipfile.ZipInfo) -> str:
    field = unicode_name(info)
    name = info.filename if field is None else field
    if field is None and not info.flag_bits & 0x800:  # no flag says UTF-8, yet much software writes it
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.filename
    return plain_path(name.replace("\\", "/"))


def _most(path: str, max_bytes: int) -> int:
    return max(max_bytes, MANIFEST_BYTES) if path in MANIFESTS else max_bytes


def _why_invalid(path: str, size: int, max_bytes: int) -> ExemplarError | None:
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or parts[0].endswith(":"):
        return ExemplarError("member_invalid", f"expected a path inside the archive, got {path[:200]!r}")
    if is_video(path):
        return video_error(path)
    if suffix_of(path) in NESTED:
        return ExemplarError("archive_nested", "expected a picture, got an archive inside the archive")
    if size < 0:
        return ExemplarError("member_unreadable", f"the archive is broken: a file of {size} bytes")
    if size > max_bytes:
        return _too_many_bytes(size, max_bytes)
    return None


def _capped(content: bytes, max_bytes: int) -> bytes:
    if len(content) > max_bytes:
        raise _too_many_bytes(len(content), max_bytes)
    return content


def _too_many_bytes(size: int, max_bytes: int) -> ExemplarError:
    return ExemplarError(
        "picture_too_many_bytes",
        f"expected a picture of at most {size_text(max_bytes)}, got {size_text(size)} or more",
    )


def _broken(error: Exception) -> ExemplarError:
    return ExemplarError("member_unreadable", f"the file is broken in the archive: {error}"[:300])


def _unreadable(what: str, error: Exception) -> ExemplarError:
    return ExemplarError(
        "archive_unreadable", f"expected a {what}, got something else or half of one: {error}"
    )
