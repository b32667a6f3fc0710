"""What `zipfile` lacks: the number of a zip's entries before they are parsed, and their Unicode names."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import Any

from core.errors import ExemplarError
from formats.bounded_reader import Guarded

_ENTRY = struct.Struct("<4s24x3H12x")  # signature; the lengths of name, extra field and comment
_SIGNATURE = b"PK\x01\x02"
_UNICODE_PATH = 0x7075  # APPNOTE 4.6.9, which older zip programs write
_HEAD = struct.Struct("<HH")
_BODY = struct.Struct("<BL")  # version, and the CRC-32 of the name that the field stands for


def check_entries(file: Guarded, *, max_items: int) -> None:
    """Raise `items_too_many` where a zip has more entries than allowed, whatever its end record says.

    What is no zip is left for `zipfile` to say.
    """
    # zipfile's own reading of the end record, zip64 too, so that both mean the same directory
    try:
        end: Any = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    except OSError:
        return
    if not end:
        return
    size, claimed = end[5], end[4]
    _check(claimed, max_items)
    start = end[9] - size - (76 if end[0] == b"PK\x06\x06" else 0)  # the zip64 end record and its locator
    if start < 0:
        return
    file.seek(start)
    _check(_count(file.read(size)), max_items)


def _count(directory: bytes) -> int:
    count = at = 0
    while at + _ENTRY.size <= len(directory):
        signature, *lengths = _ENTRY.unpack_from(directory, at)
        if signature != _SIGNATURE:
            break
        at += _ENTRY.size + sum(lengths)
        count += 1
    return count


def _check(count: int, max_items: int) -> None:
    if count > max_items:
        raise ExemplarError(
            "items_too_many", f"expected at most {max_items} entries in the zip, folders too, got {count}"
        )


def unicode_name(info: zipfile.ZipInfo) -> str | None:
    """Return the name in the Unicode path field; None without a valid one for this name."""
    extra, at = info.extra, 0
    while at + _HEAD.size <= len(extra):
        kind, size = _HEAD.unpack_from(extra, at)
        body = extra[at + _HEAD.size : at + _HEAD.size + size]
        at += _HEAD.size + size
        if kind == _UNICODE_PATH and len(body) > _BODY.size:
            return _checked(info, body)
    return None


def _checked(info: zipfile.ZipInfo, body: bytes) -> str | None:
    version, checksum = _BODY.unpack_from(body)
    try:
        raw = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
        name = body[_BODY.size :].decode()
    except UnicodeError:
        return None
    # a program that renamed the member without knowing the field left it for another name
    return name if version == 1 and zlib.crc32(raw) == checksum and "\0" not in name else None
