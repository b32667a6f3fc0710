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

from core.decoding.strips import by_strips, strips_of

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

Floats = npt.NDArray[np.float32]


def is_deep(picture: Image.Image) -> bool:
    """Say whether a picture is grey of more than 8 bits."""
    return picture.mode.startswith("I") or picture.mode == "F"


def to_8_bits(picture: Image.Image) -> Image.Image:
    """Return grey of more than 8 bits as mode L."""
    tags = getattr(picture, "tag_v2", {})
    least, top = _extremes(picture)
    black, white = white_in(least, top, tags.get(_MAX_SAMPLE), is_float=picture.mode == "F")
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        black, white = white, black
    scale = np.float32(255 / (white - black)) if white != black else np.float32(0)
    offset = np.float32(0.5 - black * float(scale))

    def scaled(strip: Image.Image) -> Image.Image:
        values = _finite(strip) * scale + offset
        return Image.fromarray(values.clip(0, 255).astype(np.uint8))

    return by_strips(picture, "L", scaled)


def _extremes(picture: Image.Image) -> tuple[float, float]:
    parts = (_finite(strip) for _, strip in strips_of(picture))
    found = [(float(values.min()), float(values.max())) for values in parts]
    return min(least for least, _ in found), max(top for _, top in found)


def _finite(strip: Image.Image) -> Floats:
    return finite(np.asarray(strip))


def finite(values: npt.NDArray[np.generic]) -> Floats:
    """Return values as float32, with 0 for what is no number or too large for one."""
    with np.errstate(over="ignore"):
        found: Floats = values.astype(np.float32)
    return np.nan_to_num(found, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def white_in(least: float, top: float, named: object, *, is_float: bool) -> tuple[float, float]:
    """Return the values of black and white in samples between two values; `named` is what the file says."""
    if least < 0 or top > 0xFFFF:
        return least, top
    if is_float and top <= OVERSHOOT:
        return 0.0, 1.0
    if isinstance(named, tuple) and named:  # a value for each sample
        named = named[0]
    if isinstance(named, int) and max(top, 1) <= named <= 0xFFFF:
        return 0.0, float(named)
    return 0.0, float(white_of(int(top)))


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
    low = load_as(_LOWER_BYTES[depth])
    pairs = [(high, low.crop((0, top, high.width, top + high.height))) for top, high in strips_of(picture)]
    top = max(int(_joined(*pair).max()) for pair in pairs)
    _, white = white_in(0, top, getattr(picture, "tag_v2", {}).get(_MAX_SAMPLE), is_float=False)
    scaled = Image.new(picture.mode, picture.size)
    row = 0
    for high, lower in pairs:
        values = _joined(high, lower) * np.float32(255 / white) + np.float32(0.5)
        scaled.paste(
            Image.frombytes(picture.mode, high.size, values.clip(0, 255).astype(np.uint8).tobytes()), (0, row)
        )
        row += high.height
    return scaled


def _joined(high: Image.Image, low: Image.Image) -> npt.NDArray[np.uint16]:
    values = np.asarray(high).astype(np.uint16)
    values <<= 8
    values |= np.asarray(low)
    return values


def white_of(top: int) -> int:
    """Return the value of white in integers whose greatest is `top`."""
    return next(((1 << bits) - 1 for bits in BITS if top < 1 << bits), top)
