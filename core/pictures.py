"""Bytes that may be anything -> an upright RGB picture, or an error that says why not."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from functools import cache
from io import BytesIO

from PIL import AvifImagePlugin, Image, ImageFile, Jpeg2KImagePlugin, UnidentifiedImageError

from core.decoding import depth, jpeg, jpeg2000
from core.decoding.colour import to_srgb
from core.decoding.kinds import Kind, kind_of
from core.decoding.nclx import profile_of_numbers
from core.decoding.orientation import orientation_of, turn
from core.decoding.png import split_profile
from core.decoding.raw import MIN_SIDE, read_preview
from core.decoding.tiff_samples import layout_of, read_samples
from core.errors import ExemplarError
from core.picture_formats import BY_NAME, TITLES, Format

# Pillow warns of odd metadata, and only pixels matter here; set once, since threads share the filters
warnings.filterwarnings("ignore", module=r"PIL\.")
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # pictures are decoded in threads already

THUMBNAIL_SIDE = 160
SMALL_PIXELS = 18_000_000  # never a bomb, however few bytes: A3 at 300 dpi, or the photograph of any phone
MAX_PIXELS_PER_BYTE = 2000  # blank JPEGs reach 170, blank PNGs 1,000; beyond that only bombs are met
MAX_1_BIT_PIXELS_PER_BYTE = 6000  # of pages, a pixel of which takes a bit before it is packed
MAX_SCANS = 40  # a progressive JPEG has about 10; each costs as much as a picture, however few bytes it takes
DRAFT_SIDE = 1024  # a JPEG is decoded at the smallest scale that keeps this; hardly an encoder looks at more
_UPRIGHT = ("HEIF", "TIFF")  # turned by what decodes them


def decode_picture(
    content: bytes, *, max_pixels: int, draft_side: int = DRAFT_SIDE, formats_off: Collection[str] = ()
) -> Image.Image:
    """Decode the first frame as people see it: upright, its colours in sRGB, over white, in RGB.

    A JPEG or JPEG 2000 may be decoded at half its size or less, as long as both sides keep `draft_side`: much
    cheaper. `formats_off` are names of formats that are refused.

    Raises `picture_empty`, `picture_unreadable` (no picture, a broken one, or one of a format that is not
    read), `picture_too_large` or `picture_bomb`.
    """
    if not content:
        raise ExemplarError("picture_empty", "expected a picture, got 0 bytes")
    kind = kind_of(content)
    format_ = _check_format(kind, formats_off)
    try:
        if format_.name == "raw":
            content, format_ = _preview(content), BY_NAME["jpeg"]
        return _decode(content, format_, max_pixels, draft_side)
    except ExemplarError:
        raise
    except Image.DecompressionBombError as error:
        raise ExemplarError("picture_too_large", f"expected at most {max_pixels} pixels: {error}") from error
    except UnidentifiedImageError as error:
        raise ExemplarError(
            "picture_unreadable", f"the picture is broken, or of a kind of {kind.title} that is not read"
        ) from error
    except Exception as error:  # the boundary to untrusted bytes: decoders raise anything
        raise ExemplarError(
            "picture_unreadable", f"the picture is broken or cut off: {error}".rstrip(": ")
        ) from error


def make_thumbnail(picture: Image.Image, side: int = THUMBNAIL_SIDE) -> bytes:
    """Return the picture as a JPEG of at most `side` pixels a side, without any metadata."""
    scale = min(side / max(picture.size), 1)
    width, height = (max(round(length * scale), 1) for length in picture.size)
    # `Image.thumbnail` would copy the picture first, however large
    small = picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    small.info = {}  # Pillow writes a JPEG's comment again
    out = BytesIO()
    small.save(out, "JPEG", quality=85)
    return out.getvalue()


def _check_format(kind: Kind, formats_off: Collection[str]) -> Format:
    """Return the format of a file; raises `picture_unreadable` with its name where it is not read here."""
    format_ = kind.format
    if format_ is None:
        raise ExemplarError("picture_unreadable", f"expected a picture ({TITLES}), got {kind.title}")
    if format_.name in formats_off:
        raise ExemplarError(
            "picture_unreadable", f"{format_.title}; turned off here by EXEMPLAR_FORMATS_OFF={format_.name}"
        )
    if not format_.is_installed:
        raise ExemplarError(
            "picture_unreadable",
            f"{format_.title}; this build has no {format_.decoder} decoder (it comes with {format_.read_by})",
        )
    return format_


def _preview(content: bytes) -> bytes:
    preview = read_preview(content)
    if preview is None:
        raise ExemplarError(
            "picture_unreadable",
            f"camera raw without a JPEG preview of {MIN_SIDE} pixels or more; export it as JPEG",
        )
    return preview


def _decode(content: bytes, format_: Format, max_pixels: int, draft_side: int) -> Image.Image:
    profile = None
    if format_.name == "png":
        content, profile = split_profile(content)
    if format_.name == "tiff" and (layout := layout_of(content)) is not None:
        _check_pixels(layout.width, layout.height, max_pixels)
        _check_packing(layout.width * layout.height, MAX_PIXELS_PER_BYTE, content)
        return turn(to_srgb(read_samples(content, layout), None), layout.orientation)
    opened = _open(content, format_, max_pixels, draft_side)
    colours = depth.colour_depth(opened)
    opened.load()
    _check_pixels(*opened.size, max_pixels)  # of HEIC the size that comes out, whatever was said before
    profile = profile or opened.info.get("icc_profile")
    if not profile and format_.name in ("heif", "avif"):
        profile = profile_of_numbers(content)
    orientation = 1 if opened.format in _UPRIGHT else orientation_of(opened)
    picture: Image.Image = opened
    del opened  # a large picture is let go of once the next step has made another one
    if depth.is_deep(picture):
        picture = depth.to_8_bits(picture)
    elif colours is not None:
        picture = depth.scale_colours(picture, colours, lambda name: _load_as(content, format_, name))
    picture = turn(to_srgb(picture, profile), orientation)
    picture.info = {}  # of the file, not of what it was made into; Pillow would write it again
    return picture


def _open(content: bytes, format_: Format, max_pixels: int, draft_side: int) -> ImageFile.ImageFile:
    picture = _opened(content, format_)
    width, height = picture.size
    _check_pixels(width, height, max_pixels)
    most = MAX_1_BIT_PIXELS_PER_BYTE if picture.mode == "1" else MAX_PIXELS_PER_BYTE
    _check_packing(width * height, most, content)
    if format_.name == "jpeg" and not jpeg.is_within_scans(content, MAX_SCANS):
        raise ExemplarError("picture_bomb", f"expected a JPEG of at most {MAX_SCANS} scans, got more")
    if isinstance(picture, Jpeg2KImagePlugin.Jpeg2KImageFile):
        picture.reduce = jpeg2000.halvings(content, picture.size, draft_side)
    else:
        picture.draft("RGB", (draft_side, draft_side))
    return picture


def _opened(content: bytes, format_: Format) -> ImageFile.ImageFile:
    if format_.name == "heif":
        _register_heif()
    return Image.open(BytesIO(content), formats=(format_.decoder,))


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ExemplarError(
            "picture_too_large",
            f"expected at most {max_pixels} pixels, got {width} x {height}; send a smaller picture",
        )


def _check_packing(pixels: int, most_per_byte: int, content: bytes) -> None:
    if pixels > max(SMALL_PIXELS, most_per_byte * len(content)):
        raise ExemplarError(
            "picture_bomb", f"expected a picture, got {pixels} pixels packed into {len(content)} bytes"
        )


def _load_as(content: bytes, format_: Format, raw_mode: str) -> Image.Image:
    """Load a picture with its samples read as Pillow's raw mode says."""
    picture = _opened(content, format_)
    picture.tile = [
        tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
        for tile in picture.tile
    ]
    picture.load()
    return picture


@cache
def _register_heif() -> None:
    from pi_heif import register_heif_opener  # noqa: PLC0415 - a build need not have it

    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
