"""Bytes that may be anything -> an upright RGB picture, or an error that says why not."""

from __future__ import annotations

import warnings
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import ExemplarError

# Pillow warns of odd metadata, and only pixels matter here; set once, since threads share the filters
warnings.filterwarnings("ignore", module=r"PIL\.")

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # by decoder, never by name; no HEIC, no AVIF
THUMBNAIL_SIDE = 160
MAX_PIXELS_PER_BYTE = 2000  # blank JPEGs reach 170, blank PNGs 1,000; beyond that only bombs are met
MAX_SCANS = 40  # a progressive JPEG has about 10; each costs as much as a picture, however few bytes it takes
_SCAN = b"\xff\xda"  # the marker that begins one
DRAFT_SIDE = 1024  # a JPEG is decoded at the smallest scale that keeps this; hardly an encoder looks at more


def decode_picture(content: bytes, *, max_pixels: int, draft_side: int = DRAFT_SIDE) -> Image.Image:
    """Decode the first frame, turned upright by its EXIF tag, over white, in RGB.

    A JPEG may be decoded at half its size or less, as long as both sides keep `draft_side`: much cheaper.

    Raises `picture_empty`, `picture_unreadable` (no picture, or a broken one), `picture_too_large` or
    `picture_bomb`.
    """
    if not content:
        raise ExemplarError("picture_empty", "expected a picture, got 0 bytes")
    try:
        return _upright_rgb(_open(content, max_pixels, draft_side))
    except ExemplarError:
        raise
    except Image.DecompressionBombError as error:
        raise ExemplarError("picture_too_large", f"expected at most {max_pixels} pixels: {error}") from error
    except UnidentifiedImageError as error:
        raise ExemplarError(
            "picture_unreadable",
            f"expected one of {', '.join(FORMATS)}, got {len(content)} bytes of something else",
        ) from error
    except Exception as error:  # the boundary to untrusted bytes: decoders raise anything
        raise ExemplarError(
            "picture_unreadable", f"the picture is broken or cut off: {type(error).__name__}: {error}"
        ) from error


def make_thumbnail(picture: Image.Image) -> bytes:
    """Return the picture as a JPEG of at most 160 pixels a side, without any metadata."""
    small = picture.copy()
    small.info = {}  # Pillow writes a JPEG's comment again
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC)
    out = BytesIO()
    small.save(out, "JPEG", quality=85)
    return out.getvalue()


def _open(content: bytes, max_pixels: int, draft_side: int) -> Image.Image:
    picture = Image.open(BytesIO(content), formats=FORMATS)
    width, height = picture.size
    if width * height > max_pixels:
        raise ExemplarError(
            "picture_too_large",
            f"expected at most {max_pixels} pixels, got {width} x {height}; send a smaller picture",
        )
    if width * height > MAX_PIXELS_PER_BYTE * max(len(content), 500):
        raise ExemplarError(
            "picture_bomb",
            f"expected a picture, got {width} x {height} pixels packed into {len(content)} bytes",
        )
    if picture.format in ("JPEG", "MPO") and content.count(_SCAN) > MAX_SCANS:
        raise ExemplarError("picture_bomb", f"expected a JPEG of at most {MAX_SCANS} scans, got more")
    picture.draft("RGB", (draft_side, draft_side))
    return picture


def _upright_rgb(picture: Image.Image) -> Image.Image:
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I") or upright.mode == "F":
        return _grey16_to_rgb(upright)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return upright.convert("RGB")


def _grey16_to_rgb(picture: Image.Image) -> Image.Image:
    # Pillow clips 16-bit grey at 255 when it converts; the upper byte is what people see
    return picture.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
