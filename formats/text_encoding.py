"""Text files as UTF-8: UTF-16 is recognised by its byte order mark or its NULs, nothing else is guessed."""

from __future__ import annotations

import codecs
from pathlib import Path

from core.errors import ExemplarError
from formats.bounded_reader import Readable

READ_BYTES = 1 << 20
SAVE_AS = "save the file as UTF-8 (in Excel: 'CSV UTF-8')"
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def read_text(path: Path) -> str:
    """Return a text file in UTF-8 or UTF-16; raises `manifest_invalid` for other bytes."""
    with path.open("rb") as file:
        content = b"".join(iter(Utf8Reader(file).read, b""))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ExemplarError("manifest_invalid", f"{path}: {not_utf8(content, error)}") from error


class Utf8Reader:
    """A file of UTF-8 or UTF-16 as bytes of UTF-8, without a byte order mark.

    Bytes that are neither are left as they are, for the reader of the lines to say which line has them.
    """

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._decoder: codecs.IncrementalDecoder | None = None
        self._begun = False

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; raises `manifest_invalid` for broken UTF-16."""
        wanted = size if size > 0 else READ_BYTES
        data = self._read_start(wanted) if not self._begun else self._file.read(wanted)
        if self._decoder is None:
            return data
        while True:
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise ExemplarError("manifest_invalid", f"expected UTF-16: {error}; {SAVE_AS}") from error
            if text or not data:
                return text.encode()
            data = self._file.read(wanted)

    def _read_start(self, size: int) -> bytes:
        self._begun = True
        data = self._file.read(size)
        while 0 < len(data) < 4 and (more := self._file.read(size)):
            data += more
        if data.startswith(codecs.BOM_UTF8):
            data = data[3:] or self._file.read(size)
        for mark, encoding in _MARKS:
            if data.startswith(mark):
                self._decoder = codecs.getincrementaldecoder(encoding)()
                return data[2:] or self._file.read(size)
        if len(data) >= 2 and data[0] and not data[1]:
            self._decoder = codecs.getincrementaldecoder("utf-16-le")()
        elif len(data) >= 2 and data[1] and not data[0]:
            self._decoder = codecs.getincrementaldecoder("utf-16-be")()
        return data


def not_utf8(line: bytes, error: UnicodeDecodeError) -> str:
    """Return what is wrong with a line that is not UTF-8, and what to do."""
    before = line[: error.start].decode()[-20:]
    return f"expected UTF-8, got the byte 0x{line[error.start]:02X} after {before!r}; {SAVE_AS}"
