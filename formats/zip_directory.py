"""How many entries a zip holds, told before its directory is parsed, which takes ten times its bytes."""

from __future__ import annotations

import struct
import zipfile
from typing import Any

from core.errors import ExemplarError
from formats.bounded_reader import Guarded

_ENTRY = struct.Struct("<4s24x3H12x")  # signature; the lengths of name, extra field and comment
_SIGNATURE = b"PK\x01\x02"


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
