"""Colours as people see them: every profile and mode brought to RGB in sRGB, transparency over white."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from core.decoding.strips import by_strips

MAX_PROFILE_BYTES = 8 << 20
KEPT_BYTES = 1 << 20  # of a profile whose transform is kept for the next picture
SAME = 2  # of 255: a profile that moves no colour of the grid further than this is sRGB under another name
_GRID = np.linspace(0, 255, 6).round().astype(np.uint8)
_SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_COLOURS = {"L": "L", "LA": "L", "La": "L", "CMYK": "CMYK"}  # of all other modes RGB is made first
_SRGB = ImageCms.createProfile("sRGB")
_HEADER_BYTES = 128

Transform = ImageCms.ImageCmsTransform


def to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a loaded picture of 8 bits as RGB in sRGB, over white where it is transparent.

    A profile that is broken, too large, or of another mode than the picture counts as none: colours then are
    sRGB already, and inks the plain complement of it.
    """
    mode = _COLOURS.get(picture.mode, "RGB")
    transform = transform_of(profile, mode) if profile and _is_of(profile, mode) else None
    if picture.mode == "RGB" and transform is None and not has_alpha(picture):
        return picture
    return by_strips(picture, "RGB", lambda strip: _to_srgb(strip, mode, transform))


def has_alpha(picture: Image.Image) -> bool:
    """Say whether any part of a picture may be transparent."""
    return picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info


def _to_srgb(picture: Image.Image, mode: str, transform: Transform | None) -> Image.Image:
    if not has_alpha(picture):
        return _moved(picture if picture.mode == mode else picture.convert(mode), transform)
    layer = picture.convert("RGBA")
    alpha = layer.getchannel("A")
    layer = _moved((picture if mode == "L" else layer).convert(mode), transform)
    layer.putalpha(alpha)
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _moved(colours: Image.Image, transform: Transform | None) -> Image.Image:
    if transform is not None:
        return transform.apply(colours)
    return colours if colours.mode == "RGB" else colours.convert("RGB")


def _is_of(profile: bytes, mode: str) -> bool:
    """Say by a profile's header whether it is one of this mode, and of a size that is followed."""
    return _HEADER_BYTES < len(profile) <= MAX_PROFILE_BYTES and _SPACES.get(profile[16:20]) == mode


def transform_of(profile: bytes, mode: str) -> Transform | None:
    """Return what takes colours of a profile to sRGB, None where they are that already or it is broken."""
    return _kept(profile, mode) if len(profile) <= KEPT_BYTES else _made(profile, mode)


@lru_cache(maxsize=16)
def _kept(profile: bytes, mode: str) -> Transform | None:
    return _made(profile, mode)


def _made(profile: bytes, mode: str) -> Transform | None:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        # colours that both have stay what they are, and paper becomes white
        transform = ImageCms.buildTransform(
            source, _SRGB, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.NONE
        )
        grid = _grid(mode)
        seen = np.asarray(transform.apply(grid)).astype(int)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    plain = np.asarray(grid.convert("RGB")).astype(int)
    return None if np.abs(seen - plain).max() <= SAME else transform


def _grid(mode: str) -> Image.Image:
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    channels = len(Image.new(mode, (1, 1)).getbands())
    steps = np.stack(np.meshgrid(*[_GRID] * channels, indexing="ij"), axis=-1)
    return Image.frombytes(mode, (_GRID.size**channels, 1), steps.astype(np.uint8).tobytes())
