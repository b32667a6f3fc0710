"""How far a JPEG 2000 picture can be decoded at a smaller scale (ITU-T T.800, A.6.1)."""

from __future__ import annotations

from core.errors import ExemplarError

_SIZE, _CODING = b"\xff\x4f\xff\x51", b"\xff\x52"
_LEVELS_AT = 9  # bytes from the marker to the number of levels
MAX_PIXELS = 18_000_000  # decoded at a time: each takes 18 bytes meanwhile


def halvings(content: bytes, size: tuple[int, int], draft_side: int) -> int:
    """Return how often a picture is to be halved: both sides keep `draft_side` but of very many pixels.

    Raises `picture_too_large` for one of these that cannot be halved.
    """
    width, height = size
    levels = levels_of(content)
    wanted = max((min(size) // draft_side).bit_length() - 1, 0)
    while width * height >> 2 * min(wanted, levels) > MAX_PIXELS and wanted < levels:
        wanted += 1
    found = min(wanted, levels)
    if width * height >> 2 * found > MAX_PIXELS:
        raise ExemplarError(
            "picture_too_large",
            f"expected at most {MAX_PIXELS} pixels of a JPEG 2000 without levels, got {width} x {height}",
        )
    return found


def levels_of(content: bytes) -> int:
    """Return how often the picture can be halved by leaving out levels; 0 where that is not said."""
    start = content.find(_SIZE)
    at = content.find(_CODING, start) if start >= 0 else -1
    return content[at + _LEVELS_AT] if 0 <= at < len(content) - _LEVELS_AT else 0
