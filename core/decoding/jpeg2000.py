"""How far a JPEG 2000 picture can be decoded at a smaller scale (ITU-T T.800, A.6.1)."""

from __future__ import annotations

_SIZE, _CODING = b"\xff\x4f\xff\x51", b"\xff\x52"
_LEVELS_AT = 9  # bytes from the marker to the number of levels


def levels_of(content: bytes) -> int:
    """Return how often the picture can be halved by leaving out levels; 0 where that is not said."""
    start = content.find(_SIZE)
    at = content.find(_CODING, start) if start >= 0 else -1
    return content[at + _LEVELS_AT] if 0 <= at < len(content) - _LEVELS_AT else 0
