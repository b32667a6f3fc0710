"""The bytes of pictures as they are sent: camera raw by the JPEG that the service would look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.picture_formats import RAW_SUFFIXES, suffix_of

PART_BYTES = 1 << 20


def blocks_of(path: str | Path) -> Iterator[bytes]:
    """Yield the bytes of a file."""
    with open(path, "rb") as file:
        while block := file.read(PART_BYTES):
            yield block


def is_sent_as_preview(path: str | Path) -> bool:
    """Say whether a file is camera raw by its suffix, of which the JPEG inside is sent."""
    return suffix_of(str(path)) in RAW_SUFFIXES


def content_to_send(path: str | Path) -> bytes:
    """Return the bytes of a picture; of camera raw the JPEG that the service would look at, a tenth of it."""
    content = Path(path).read_bytes()
    if not is_sent_as_preview(path):
        return content
    from core.decoding.raw import read_preview  # noqa: PLC0415 - Pillow, which no other file here needs

    return read_preview(content) or content
