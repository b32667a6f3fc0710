"""The directories of a TIFF structure, read as far as they are whole: TIFF 6.0, EXIF, and raw files."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAGICS = {
    b"II*\0": "<",
    b"MM\0*": ">",
    b"IIU\0": "<",  # Panasonic
    b"IIRO": "<",  # Olympus
    b"IIRS": "<",
    b"MMOR": ">",
}
"""How a structure begins, and its byte order; BigTIFF is none of them."""
ORIENTATION, SUB_DIRECTORIES, EXIF, MAKER_NOTE = 0x0112, 0x014A, 0x8769, 0x927C
MAX_DIRECTORIES = 64  # raw files have up to a dozen
MAX_ENTRIES = 1000
MAX_VALUES = 64
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A field of a directory: its type, how many values, and where they are in the file."""

    type: int
    count: int
    at: int


@dataclass(frozen=True, slots=True)
class Directory:
    """The fields of one directory by their tags; offsets in it count from `base`."""

    content: bytes
    order: str
    entries: Mapping[int, Entry]
    base: int = 0

    def integers(self, tag: int, *, most: int = MAX_VALUES) -> tuple[int, ...]:
        """Return the first values of a field of integers; none where it is missing or broken."""
        entry = self.entries.get(tag)
        if entry is None or entry.type not in _INTEGERS:
            return ()
        count = min(entry.count, most)
        form = f"{self.order}{count}{_INTEGERS[entry.type]}"
        try:
            return struct.unpack_from(form, self.content, entry.at)
        except struct.error:
            return ()

    def integer(self, tag: int) -> int | None:
        """Return the first value of a field of integers, or None."""
        return next(iter(self.integers(tag)), None)

    def span(self, tag: int) -> tuple[int, int] | None:
        """Return where the bytes of a field are, and how many, or None."""
        entry = self.entries.get(tag)
        return None if entry is None else (entry.at, entry.count * _SIZES.get(entry.type, 1))


def order_of(content: bytes) -> str | None:
    """Return the byte order of what begins as a TIFF structure, or None."""
    return MAGICS.get(content[:4])


def read_directories(content: bytes) -> Iterator[Directory]:
    """Yield the directories of a structure, the inner ones after the one that names them.

    What is broken is left out: no directory is read twice, and no more than 64.
    """
    order = order_of(content)
    if order is None or len(content) < 8:
        return
    waiting = [struct.unpack_from(f"{order}I", content, 4)[0]]
    seen: set[int] = set()
    while waiting and len(seen) < MAX_DIRECTORIES:
        at = waiting.pop(0)
        if at in seen:
            continue
        seen.add(at)
        found = read_directory(content, order, at)
        if found is None:
            continue
        directory, after = found
        yield directory
        inner = directory.integers(SUB_DIRECTORIES) + directory.integers(EXIF)[:1]
        waiting[:0] = [offset for offset in (*inner, after) if offset]


def read_directory(content: bytes, order: str, at: int, base: int = 0) -> tuple[Directory, int] | None:
    """Return the directory at an offset from `base`, and the offset of the next one (0 for none), or None."""
    start = base + at
    try:
        (count,) = struct.unpack_from(f"{order}H", content, start)
    except struct.error:
        return None
    entries: dict[int, Entry] = {}
    place = start + 2
    for place in range(start + 2, start + 2 + 12 * min(count, MAX_ENTRIES), 12):
        try:
            tag, type_, values, offset = struct.unpack_from(f"{order}HHII", content, place)
        except struct.error:
            return Directory(content, order, entries, base), 0
        is_inside = _SIZES.get(type_, 1) * values <= 4
        entries.setdefault(tag, Entry(type_, values, place + 8 if is_inside else base + offset))
    end = start + 2 + 12 * count
    after = struct.unpack_from(f"{order}I", content, end)[0] if end + 4 <= len(content) else 0
    return Directory(content, order, entries, base), after
