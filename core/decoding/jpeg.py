"""The markers of a JPEG file, walked as far as its first picture goes (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from core.decoding.orientation import orientation_in_exif

START = b"\xff\xd8"
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in coded data FF 00 is a byte, and FF D0-D7 goes on
_EOI, _SOS, _APP1 = 0xD9, 0xDA, 0xE1
_ALONE = (0x01, 0xD8)
_FRAMES = (0xC0, 0xC1, 0xC2)
"""Baseline, extended and progressive; what is lossless is the data of raw files."""
_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
SCAN = b"\xff\xda"


def is_within_scans(content: bytes, most: int) -> bool:
    """Say whether the picture has no more than so many scans; what comes behind its end does not count."""
    if content.count(SCAN) <= most:  # profiles, previews and films behind it hold such bytes too
        return True
    scans = 0
    for marker, _, _ in _segments(content, 0):
        scans += marker == _SOS
        if scans > most:
            return False
    return True


def size_of(content: bytes, at: int = 0) -> tuple[int, int] | None:
    """Return width and height of the JPEG that begins at an offset; None where it is lossless or none."""
    if content[at : at + 2] != START:
        return None
    for marker, start, length in _segments(content, at):
        if marker in _FRAMES and length >= 5:
            height, width = struct.unpack_from(">HH", content, start + 1)
            return (width, height) if width and height else None
        if marker in (*_OTHER_FRAMES, _SOS):
            return None
    return None


def has_orientation(content: bytes) -> bool:
    """Say whether a JPEG's own EXIF says how it is to be turned."""
    for marker, start, length in _segments(content, 0):
        if marker == _SOS:
            break
        if marker == _APP1 and content.startswith(b"Exif\0\0", start):
            return orientation_in_exif(content[start : start + length]) is not None
    return False


def with_orientation(content: bytes, orientation: int) -> bytes:
    """Return a JPEG with EXIF of its own that says nothing but how it is to be turned."""
    directory = struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0MM\0*\0\0\0\x08" + directory
    return START + struct.pack(">BBH", 0xFF, _APP1, len(body) + 2) + body + content[2:]


def _segments(content: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and length of the body of each segment up to the end of the image."""
    place = at + 2
    while (found := _MARKER.search(content, place)) is not None:
        marker, place = content[found.start() + 1], found.end()
        if marker == _EOI:
            return
        if marker in _ALONE:
            continue
        if place + 2 > len(content):
            return
        (length,) = struct.unpack_from(">H", content, place)
        if length < 2:
            return
        yield marker, place + 2, min(length - 2, len(content) - place - 2)
        place += length
