"""Files of strangers, read so that no header in them can ask for more memory or time than it may."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from typing import Any, Protocol, cast

from core.errors import ExemplarError
from core.sizes import size_text

BLOCK = 1 << 16
XZ_MEMORY = 160 << 20  # what the strongest preset needs; the header of a file can ask for 4 GB
MAGIC_BYTES = 6


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes: ...


class Seekable(Readable, Protocol):
    """What can also be read from another place; as much of a file as `zipfile` needs."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


class Guarded:
    """A file that gives no more than was allowed for the step under way.

    Raises `archive_unreadable` where more is asked for, or where what unpacks it finds it broken.
    """

    def __init__(self, file: Seekable) -> None:
        self._file = file
        self._left = 0

    def allow(self, size: int) -> None:
        """Begin a step that may read so many bytes."""
        self._left = size

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes."""
        data = self._take(size)
        self._left -= len(data)
        return data

    def _take(self, size: int) -> bytes:
        if size < 0:  # zipfile looks so at the end of a file for its directory
            here = self._file.tell()
            size = self._file.seek(0, io.SEEK_END) - here
            self._file.seek(here)
        if size > self._left:
            raise _asks_too_much()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go elsewhere."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return where we are."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Say that it can be sought in."""
        return True

    def close(self) -> None:
        """Leave the file to its owner."""


class Forward(Guarded):
    """The same over what can only be read from the front; only a forged header asks for a seek back."""

    def __init__(self, unpacked: Readable, *, max_bytes: int, is_packed: bool) -> None:
        self.is_packed = is_packed
        self._unpacked = unpacked
        self._max_bytes = max_bytes
        self._at = 0
        self._left = 0
        self.last = b""
        """What the last read gave, where that was one block of a tar or less."""

    def _take(self, size: int) -> bytes:
        if size < 0 or size > self._left:
            raise _asks_too_much()
        parts = []
        missing = size
        while missing > 0 and (part := self._unpack(missing)):
            parts.append(part)
            missing -= len(part)
        data = b"".join(parts)
        self._at += len(data)
        if self._at > self._max_bytes:
            raise ExemplarError(
                "archive_too_large", f"expected an archive of at most {size_text(self._max_bytes)} unpacked"
            )
        self.last = data if size <= io.DEFAULT_BUFFER_SIZE else b""
        return data

    def _unpack(self, size: int) -> bytes:
        try:
            return self._unpacked.read(size)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise ExemplarError("archive_unreadable", f"the archive is broken or cut off: {error}") from error

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go on to a later place."""
        if whence != io.SEEK_SET or offset < self._at:
            raise ExemplarError("archive_unreadable", "the archive is broken: it leads back to where it was")
        left = self._left
        while self._at < offset:
            self._left = BLOCK
            if not self._take(min(BLOCK, offset - self._at)):
                break
        self._left = left
        return self._at

    def tell(self) -> int:
        return self._at


def unpacked(file: Seekable, *, max_bytes: int) -> Forward:
    """Return what a file holds, seen through gzip, bzip2 or xz where it is packed so."""
    magic = file.read(MAGIC_BYTES)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return Forward(gzip.GzipFile(fileobj=file), max_bytes=max_bytes, is_packed=True)
    if magic.startswith(b"BZh"):
        return Forward(bz2.BZ2File(cast(Any, file)), max_bytes=max_bytes, is_packed=True)
    if magic.startswith(b"\xfd7zXZ\0"):
        return Forward(_Xz(file), max_bytes=max_bytes, is_packed=True)
    return Forward(file, max_bytes=max_bytes, is_packed=False)


class _Xz:
    """An xz file, unpacked within bounded memory; `lzma.LZMAFile` takes no bound."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._unpacker = lzma.LZMADecompressor(memlimit=XZ_MEMORY)

    def read(self, size: int = -1, /) -> bytes:
        while True:
            packed = b""
            if self._unpacker.eof:
                packed = self._unpacker.unused_data.lstrip(b"\0") or self._file.read(BLOCK)
                if not packed:
                    return b""
                self._unpacker = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
            elif self._unpacker.needs_input:
                packed = self._file.read(BLOCK)
                if not packed:
                    raise EOFError("it ends too early")
            if data := self._unpacker.decompress(packed, size):
                return data


def _asks_too_much() -> ExemplarError:
    return ExemplarError("archive_unreadable", "the archive is broken: a header in it asks for far too much")
