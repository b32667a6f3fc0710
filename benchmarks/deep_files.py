"""Files of colours of more than 8 bits, which Pillow does not write."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def deep_png(values: np.ndarray) -> bytes:
    """Return colours (height, width, 3) of 16 bits as a PNG."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def deep_tiff(values: np.ndarray, *, in_planes: bool = False, is_packed: bool = False) -> bytes:
    """Return colours (height, width, 3) of wide samples as a TIFF."""
    height, width, _ = values.shape
    bits, kind = 8 * values.dtype.itemsize, 3 if values.dtype.kind == "f" else 1
    planes = np.moveaxis(values, -1, 0) if in_planes else values[None]
    strips = [np.ascontiguousarray(plane).tobytes() for plane in planes]
    strips = [zlib.compress(strip, 1) if is_packed else strip for strip in strips]
    places = [8 + sum(map(len, strips[:number])) for number in range(len(strips))]
    body = b"".join(strips)
    words = struct.pack("<3H", bits, bits, bits) + struct.pack("<3H", kind, kind, kind)
    lists = struct.pack(f"<{len(strips)}I", *places) + struct.pack(f"<{len(strips)}I", *map(len, strips))
    at = 8 + len(body)
    inside = len(strips) == 1
    fields = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, at), (259, 3, 1, 8 if is_packed else 1),
        (262, 3, 1, 2), (273, 4, len(strips), places[0] if inside else at + 12), (277, 3, 1, 3),
        (278, 4, 1, height), (279, 4, len(strips), len(strips[0]) if inside else at + 12 + 4 * len(strips)),
        (284, 3, 1, 2 if in_planes else 1), (339, 3, 3, at + 6),
    ]  # fmt: skip
    directory = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *field) for field in fields)
    first = at + len(words) + len(lists)
    return b"II*\0" + struct.pack("<I", first) + body + words + lists + directory + bytes(4)
