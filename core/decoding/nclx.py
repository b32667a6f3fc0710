"""Colours that HEIC and AVIF name by numbers instead of a profile (ITU-T H.273), as a profile."""

from __future__ import annotations

import struct
from functools import cache

import numpy as np
import numpy.typing as npt

_BOX = b"colrnclx"
_HEAD_BYTES = 1 << 20  # metadata stand before the pixels
_PRIMARIES = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
_LIKE_SRGB = {1, 2, 6, 13, 14, 15}  # transfer curves that displays show as sRGB's; not those of HDR
_D50, _D65 = np.array([0.9642, 1.0, 0.8249]), np.array([0.9505, 1.0, 1.0891])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def profile_of_numbers(content: bytes) -> bytes | None:
    """Return the profile of the colours that a file's first such box names, None where they are sRGB's."""
    at = content.find(_BOX, 0, _HEAD_BYTES)
    if at < 0 or at + 12 > len(content):
        return None
    primaries, transfer = struct.unpack_from(">HH", content, at + len(_BOX))
    return _profile(primaries) if primaries in _PRIMARIES and transfer in _LIKE_SRGB else None


@cache
def _profile(primaries: int) -> bytes:
    """Return a matrix profile (ICC.1) of these primaries under D65 with sRGB's curve."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in _PRIMARIES[primaries]]).T
    matrix = columns * np.linalg.solve(columns, _D65)
    cones = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ _D65))
    adapted = np.linalg.inv(_BRADFORD) @ cones @ _BRADFORD @ matrix
    curve = b"para" + bytes(4) + struct.pack(">HH5i", 3, 0, *(round(value * 65536) for value in _CURVE))
    tags = {b"wtpt": _xyz(_D50), b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"nclx\0" + bytes(79)}
    for name, column in zip(b"rgb", adapted.T, strict=True):
        tags[bytes([name]) + b"XYZ"], tags[bytes([name]) + b"TRC"] = _xyz(column), curve
    directory, body, first = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        directory += tag + struct.pack(">II", first + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(">I4sI4s4s4s", first + len(body), bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(_D50)[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + body


def _xyz(values: npt.NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(value) * 65536) for value in values))
