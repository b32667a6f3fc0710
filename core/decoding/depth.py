"""Pictures of more than 8 bits, integers and floats, brought to the 8 bits that people see.

The rule: where the file names its greatest value (TIFF's MaxSampleValue), values are scaled by that.
Otherwise by what they hold: none above 255 are 8 bits, and up to 1,023, 4,095 and 16,383 they are 10, 12 and
14 bits in a wider file; anything above has all 16. Floats up to 1 are shares of white, and greater ones are
taken as integers are. What is negative, or above 65,535, goes from black, its least value, to white.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

BITS = (8, 10, 12, 14, 16)
OVERSHOOT = 1.5  # floats that are shares of white go a little beyond it where a picture was sharpened
_WHITE_IS_ZERO, _PHOTOMETRIC, _MAX_SAMPLE = 0, 0x0106, 0x0119
_LOWER_BYTES = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA", "CMYK")
    for order, other in (("B", "L"), ("L", "B"), ("N", "B" if sys.byteorder == "little" else "L"))
}
"""Pillow's names of 16-bit colours, of which it keeps upper bytes, and of those that keep the lower ones."""
_SHADOWS = 1 << 6  # upper bytes that are all below it may be those of 14 bits or less

Grey = npt.NDArray[np.uint8]


def is_deep(picture: Image.Image) -> bool:
    """Say whether a picture is grey of more than 8 bits."""
    return picture.mode.startswith("I") or picture.mode == "F"


def to_8_bits(picture: Image.Image) -> Image.Image:
    """Return grey of more than 8 bits as mode L."""
    tags = getattr(picture, "tag_v2", {})
    values = np.asarray(picture)
    if np.issubdtype(values.dtype, np.integer):
        grey = _of_integers(values, tags.get(_MAX_SAMPLE))
    else:
        grey = _of_floats(values)
    return Image.fromarray(255 - grey if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else grey)


def colour_depth(picture: ImageFile.ImageFile) -> str | None:
    """Return Pillow's name of 16-bit colours in a picture that is not loaded yet, None for all others."""
    if not picture.tile:
        return None
    arguments = picture.tile[0].args
    name = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return name if name in _LOWER_BYTES else None


def scale_colours(picture: Image.Image, depth: str, load_as: Callable[[str], Image.Image]) -> Image.Image:
    """Return 16-bit colours that hold fewer bits scaled by those; `load_as` loads the picture once more."""
    if max(top for _, top in picture.getextrema()) >= _SHADOWS:  # type: ignore[misc]
        return picture
    low = np.asarray(load_as(_LOWER_BYTES[depth]))
    values = (np.asarray(picture).astype(np.uint16) << 8) | low
    named = getattr(picture, "tag_v2", {}).get(_MAX_SAMPLE)
    return Image.fromarray(_of_integers(values, named), picture.mode)


def white_of(top: int) -> int:
    """Return the value of white in integers whose greatest is `top`."""
    return next(((1 << bits) - 1 for bits in BITS if top < 1 << bits), top)


def _of_integers(values: npt.NDArray[np.integer], named: object) -> Grey:
    least, top = int(values.min()), int(values.max())
    if least < 0 or top > 0xFFFF:
        return _stretched(values.astype(np.float32), float(least), float(top))
    white = named if isinstance(named, int) and top <= named <= 0xFFFF and named > 0 else white_of(top)
    table = (np.arange(0x10000, dtype=np.float32) * (255 / white) + 0.5).clip(0, 255).astype(np.uint8)
    grey: Grey = table[values]
    return grey


def _of_floats(values: npt.NDArray[np.float32]) -> Grey:
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    least, top = float(values.min()), float(values.max())
    if least < 0 or top > 0xFFFF:
        return _stretched(values, least, top)
    white = 1.0 if top <= OVERSHOOT else float(white_of(int(top)))
    return (values * (255 / white) + 0.5).clip(0, 255).astype(np.uint8)


def _stretched(values: npt.NDArray[np.float32], least: float, top: float) -> Grey:
    scale = 255 / (top - least) if top > least else 0.0
    return ((values - np.float32(least)) * np.float32(scale) + 0.5).clip(0, 255).astype(np.uint8)
