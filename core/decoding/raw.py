"""Camera raw files: the JPEG that the camera put into them, full size or a large preview, is the picture.

The sensor's data is never developed: the camera did that, and people see the same picture on its display.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from core.decoding import boxes, jpeg
from core.decoding.tiff import MAKER_NOTE, ORIENTATION, Directory, order_of, read_directories, read_directory

MIN_SIDE = 400  # of the longer side: what is smaller is the thumbnail of a file list
MAX_CANDIDATES = 64
_RAF = b"FUJIFILMCCD-RAW"
_CFA, _LINEAR_RAW = 32803, 34892
_RAW_COMPRESSIONS = (32767, 34713, 65535)  # Sony, Nikon, Pentax
_COMPRESSION, _PHOTOMETRIC, _DNG_VERSION = 0x0103, 0x0106, 0xC612
_STRIPS, _STRIP_BYTES, _JPEG, _JPEG_BYTES, _PANASONIC_JPEG = 0x0111, 0x0117, 0x0201, 0x0202, 0x002E
_OLYMPUS = b"OLYMPUS\0"
_OLYMPUS_CAMERA, _OLYMPUS_PREVIEW, _OLYMPUS_PREVIEW_BYTES = 0x2020, 0x0101, 0x0102


@dataclass(frozen=True, slots=True)
class _Preview:
    at: int
    size: int


def is_raw(content: bytes) -> bool:
    """Say whether a file is a camera's raw file, whatever it is called; a plain TIFF is none."""
    if content.startswith(_RAF) or boxes.brands(content)[:1] == (b"crx ",):
        return True
    if order_of(content) is None:
        return False
    if content[:4] not in (b"II*\0", b"MM\0*") or content[8:10] == b"CR":
        return True
    return any(_is_of_raw(directory) for directory in read_directories(content))


def read_preview(content: bytes) -> bytes | None:
    """Return the largest JPEG of a raw file with its orientation, or None where there is only a thumbnail."""
    directories = list(read_directories(content))
    best, most = None, 0
    for number, found in enumerate(_previews(content, directories)):
        if number == MAX_CANDIDATES:
            break
        size = jpeg.size_of(content, found.at)
        if size is not None and max(size) >= MIN_SIDE and size[0] * size[1] > most:
            best, most = found, size[0] * size[1]
    if best is None:
        return None
    picture = content[best.at : best.at + best.size]
    orientation = _orientation(content, directories)
    if orientation in range(2, 9) and not jpeg.has_orientation(picture):
        return jpeg.with_orientation(picture, orientation)
    return picture


def _is_of_raw(directory: Directory) -> bool:
    return (
        _DNG_VERSION in directory.entries
        or directory.integer(_PHOTOMETRIC) in (_CFA, _LINEAR_RAW)
        or directory.integer(_COMPRESSION) in _RAW_COMPRESSIONS
    )


def _previews(content: bytes, directories: list[Directory]) -> Iterator[_Preview]:
    if content.startswith(_RAF):
        if len(content) >= 92:
            yield _Preview(*struct.unpack_from(">II", content, 84))
        return
    if order_of(content) is None:
        yield from (_Preview(at, size) for at, size in boxes.jpegs_of_cr3(content))
        return
    for directory in directories:
        yield from _of_directory(directory)


def _of_directory(directory: Directory) -> Iterator[_Preview]:
    for at_tag, size_tag in ((_JPEG, _JPEG_BYTES), (_STRIPS, _STRIP_BYTES)):
        at, size = directory.integers(at_tag), directory.integers(size_tag)
        if len(at) == len(size) == 1:
            yield _Preview(at[0], size[0])
    span = directory.span(_PANASONIC_JPEG)
    if span is not None:
        yield _Preview(*span)
    note = directory.span(MAKER_NOTE)
    if note is not None:
        yield from _of_olympus(directory, note[0])


def _of_olympus(directory: Directory, at: int) -> Iterator[_Preview]:
    # offsets in this maker's notes count from where they begin
    content = directory.content
    if not content.startswith(_OLYMPUS, at):
        return
    notes = read_directory(content, directory.order, 12, base=at)
    place = None if notes is None else notes[0].integer(_OLYMPUS_CAMERA)
    camera = None if place is None else read_directory(content, directory.order, place, base=at)
    if camera is None:
        return
    start, size = camera[0].integer(_OLYMPUS_PREVIEW), camera[0].integer(_OLYMPUS_PREVIEW_BYTES)
    if start is not None and size is not None:
        yield _Preview(at + start, size)


def _orientation(content: bytes, directories: list[Directory]) -> int:
    if not directories:
        return boxes.orientation_of_cr3(content)
    return directories[0].integer(ORIENTATION) or 1
