"""The boxes of an ISO base media file (ISO 14496-12): what HEIF, AVIF, CR3 and most videos are made of."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from core.decoding.orientation import orientation_in_exif

MAX_BOXES = 256
MAX_BRANDS = 32
_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_PREVIEW = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16")


def brands(content: bytes) -> tuple[bytes, ...]:
    """Return the brands of a file, the major one first; none where it has no such boxes."""
    if content[4:8] != b"ftyp":
        return ()
    end = min(int.from_bytes(content[:4], "big"), len(content), 16 + 4 * MAX_BRANDS)
    others = (content[at : at + 4] for at in range(16, end - 3, 4))
    return (content[8:12], *others)


def children(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of the body of each box in a span; a broken one ends it."""
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        size, type_ = struct.unpack_from(">I4s", content, start)
        body = start + 8
        if size == 1:
            if start + 16 > end:
                return
            (size,) = struct.unpack_from(">Q", content, start + 8)
            body = start + 16
        elif size == 0:
            size = end - start
        if size < body - start or start + size > end:
            return
        yield type_, body, start + size
        start += size


def jpegs_of_cr3(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield offset and size of the JPEGs in Canon's CR3: the preview's, and that of the first track."""
    for type_, start, end in children(content, 0, len(content)):
        if type_ == b"uuid" and content.startswith(_PREVIEW, start):
            for inner, at, inner_end in children(content, start + 24, end):
                if inner == b"PRVW" and at + 16 <= inner_end:
                    yield at + 16, min(int.from_bytes(content[at + 12 : at + 16], "big"), inner_end - at - 16)
        elif type_ == b"moov":
            tracks = (span for span in children(content, start, end) if span[0] == b"trak")
            for _, at, track_end in tracks:
                yield from _sample(content, at, track_end)


def orientation_of_cr3(content: bytes) -> int:
    """Return the orientation in a CR3's own EXIF, 1 where it has none."""
    for type_, start, end in children(content, 0, len(content)):
        if type_ != b"moov":
            continue
        for inner, at, inner_end in children(content, start, end):
            if inner == b"uuid" and content.startswith(_CANON, at):
                for name, body, body_end in children(content, at + 16, inner_end):
                    if name == b"CMT1":
                        return orientation_in_exif(content[body:body_end]) or 1
    return 1


def _sample(content: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield offset and size of a track's sample, where it has one of one size."""
    for path in (b"mdia", b"minf", b"stbl"):
        found = next((span for span in children(content, start, end) if span[0] == path), None)
        if found is None:
            return
        _, start, end = found
    tables = {type_: at for type_, at, _ in children(content, start, end)}
    try:
        (size,) = struct.unpack_from(">I", content, tables[b"stsz"] + 4)
        if b"co64" in tables:
            (offset,) = struct.unpack_from(">Q", content, tables[b"co64"] + 8)
        else:
            (offset,) = struct.unpack_from(">I", content, tables[b"stco"] + 8)
    except (KeyError, struct.error):
        return
    yield offset, size
