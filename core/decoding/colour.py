"""Colours as people see them: every profile and mode brought to RGB in sRGB, transparency over white."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from core.decoding.strips import by_strips

MAX_PROFILE_BYTES = 8 << 20
SAME = 2  # of 255: a profile that moves no colour of the grid further than this is sRGB under another name
_GRID = np.linspace(0, 255, 6).round().astype(np.uint8)
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_SRGB = ImageCms.createProfile("sRGB")
_HEADER_BYTES = 128

Transform = ImageCms.ImageCmsTransform


def to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a loaded picture of 8 bits as RGB in sRGB, over white where it is transparent.

    A profile that is broken, too large, or of another mode than the picture counts as none: colours then are
    sRGB already, and inks the plain complement of it.
    """
    if picture.mode == "RGB" and not profile and not has_alpha(picture):
        return picture
    return by_strips(picture, "RGB", lambda strip: _to_srgb(strip, profile))


def has_alpha(picture: Image.Image) -> bool:
    """Say whether any part of a picture may be transparent."""
    return picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    if has_alpha(picture):
        layer = picture.convert("RGBA")
        alpha = layer.getchannel("A")
        # grey is kept grey for the profile, which is one of grey
        colours = picture.convert("L") if picture.mode in ("LA", "La") else layer.convert("RGB")
        layer = _convert(colours, profile)
        layer.putalpha(alpha)
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    if picture.mode in ("1", "P", "YCbCr"):
        picture = picture.convert("RGB")
    return _convert(picture, profile)


def _convert(picture: Image.Image, profile: bytes | None) -> Image.Image:
    if profile and len(profile) <= MAX_PROFILE_BYTES and _SPACES.get(_space(profile)) == picture.mode:
        transform = transform_of(profile, picture.mode)
        if transform is not None:
            return transform.apply(picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _space(profile: bytes) -> str:
    # read from the header, so that LittleCMS is asked only where there is something to convert
    return profile[16:20].decode("latin-1") if len(profile) > _HEADER_BYTES else ""


@lru_cache(maxsize=32)
def transform_of(profile: bytes, mode: str) -> Transform | None:
    """Return what takes colours of a profile to sRGB, None where they are that already or it is broken."""
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
