"""How a picture is to be turned: read from its metadata, which is not otherwise understood."""

from __future__ import annotations

import re

from PIL import Image

from core.decoding.tiff import ORIENTATION, order_of, read_directory

_PREFIX = b"Exif\0\0"
_IN_XMP = re.compile(rb"""tiff:Orientation(?:=["']|>)([1-8])""")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(picture: Image.Image) -> int:
    """Return the orientation (1 to 8) that EXIF says, or XMP where EXIF says none; 1 where neither does."""
    found = orientation_in_exif(_bytes(picture.info.get("exif")))
    if found is None:
        xmp = _IN_XMP.search(_bytes(picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp")))
        found = None if xmp is None else int(xmp[1])
    return found or 1


def orientation_in_exif(exif: bytes) -> int | None:
    """Return the orientation in an EXIF block, with or without its prefix, or None."""
    structure = exif.removeprefix(_PREFIX)
    order = order_of(structure)
    if order is None or len(structure) < 8:
        return None
    first = read_directory(
        structure, order, int.from_bytes(structure[4:8], "little" if order == "<" else "big")
    )
    value = None if first is None else first[0].integer(ORIENTATION)
    return value if value in range(1, 9) else None


def turn(picture: Image.Image, orientation: int) -> Image.Image:
    """Return a picture turned upright."""
    how = _TURNS.get(orientation)
    return picture if how is None else picture.transpose(how)


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return value if isinstance(value, bytes) else b""
