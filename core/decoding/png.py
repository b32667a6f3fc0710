"""The chunks of a PNG that must not cost the picture: packed texts and profiles, however large they are."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PROFILE_BYTES = 8 << 20  # profiles of presses have 0.5 to 3 MB
_PROFILE, _PACKED_TEXT, _TEXT = b"iCCP", b"zTXt", b"iTXt"


def split_profile(content: bytes) -> tuple[bytes, bytes | None]:
    """Return a PNG without packed texts and profile, which Pillow would bound by 1 MB each, and its profile.

    A profile that is broken or larger than 8 MB is None; a PNG without such chunks comes back as it is.
    """
    kept, end, profile = [], 0, None
    for type_, start, length in _chunks(content):
        if type_ == _PROFILE and profile is None:
            profile = _unpacked(content, start, length)
        elif type_ not in (_PROFILE, _PACKED_TEXT) and not (
            type_ == _TEXT and _is_packed(content, start, length)
        ):
            continue
        kept.append(content[end : start - 8])
        end = start + length + 4
    return (content, None) if not kept else (b"".join([*kept, content[end:]]), profile)


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and length of the body of each chunk that is whole."""
    place = len(SIGNATURE)
    while place + 12 <= len(content):
        length, type_ = struct.unpack_from(">I4s", content, place)
        if place + 12 + length > len(content):
            return
        yield type_, place + 8, length
        place += 12 + length


def _is_packed(content: bytes, start: int, length: int) -> bool:
    keyword = content.find(b"\0", start, start + min(length, 80))
    return keyword >= 0 and content[keyword + 1 : keyword + 2] == b"\x01"


def _unpacked(content: bytes, start: int, length: int) -> bytes | None:
    name = content.find(b"\0", start, start + min(length, 80))
    if name < 0:
        return None
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(content[name + 2 : start + length], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if unpacker.eof else None
