"""One drawn scene in every kind of file: each with the plain picture that it must be seen as."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks import profiles
from benchmarks.deep_files import deep_png, deep_tiff
from benchmarks.raw_files import MAKERS
from core.decoding.nclx import profile_of_numbers

SIZE = (480, 320)
ALIKE, SAME = 0.98, 0.995
"""How similar the vectors are to be: of formats that lose something, and of orientation and depth."""
SAMPLES = Path(__file__).parents[1] / "tests" / "pictures"
ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture lies in its file that says it is to be turned so."""


KEEPING: dict[str, dict[str, object]] = {
    "PNG": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95},
}
"""Formats that lose little, and how they are written so."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A file of some kind, the picture that it must be seen as, and how similar it is to be."""

    name: str
    content: bytes
    plain: Image.Image
    aim: float = ALIKE


def scene(size: tuple[int, int] = SIZE) -> Image.Image:
    """Return a drawn landscape with a house, neither symmetric nor grey, the same every time."""
    width, height = size
    y = np.linspace(0, 1, height)[:, None, None]
    sky = np.array([90, 150, 220]) * (1 - y) + np.array([230, 210, 170]) * y
    picture = Image.fromarray(np.broadcast_to(sky, (height, width, 3)).round().astype(np.uint8))
    draw = ImageDraw.Draw(picture)

    def at(*shares: float) -> list[float]:
        return [share * side for share, side in zip(shares, size * (len(shares) // 2), strict=True)]

    draw.rectangle(at(0, 0.68, 1, 1), fill=(50, 130, 60))
    draw.ellipse(at(0.72, 0.08, 0.86, 0.29), fill=(250, 220, 60))
    draw.rectangle(at(0.16, 0.42, 0.46, 0.82), fill=(190, 60, 50))
    draw.polygon(at(0.12, 0.42, 0.31, 0.2, 0.5, 0.42), fill=(90, 50, 40))
    draw.rectangle(at(0.21, 0.5, 0.28, 0.62), fill=(220, 235, 250))
    draw.rectangle(at(0.36, 0.6, 0.42, 0.82), fill=(60, 40, 90))
    draw.rectangle(at(0.7, 0.5, 0.73, 0.8), fill=(100, 70, 40))
    draw.ellipse(at(0.62, 0.36, 0.81, 0.62), fill=(30, 100, 40))
    return picture


def encoded(picture: Image.Image, format_: str, **options: object) -> bytes:
    """Return a picture as a file."""
    out = BytesIO()
    if format_ == "AVIF":
        options = {"speed": 10, **options}  # of the encoder; what it gives is larger
    picture.save(out, format_, **options)
    return out.getvalue()


def lossy(picture: Image.Image, format_: str, **options: object) -> Image.Image:
    """Return a picture as a format gives it back, so that only what else was done to it is compared."""
    return Image.open(BytesIO(encoded(picture, format_, **options))).convert(picture.mode)


def samples() -> Iterator[Sample]:
    """Yield a file of every kind."""
    plain = scene()
    for made in GROUPS.values():
        yield from made(plain)


def _plain_ones(plain: Image.Image) -> Iterator[Sample]:
    ways: list[tuple[str, str, dict[str, object]]] = [
        ("JPEG", "JPEG", {"quality": 92}),
        ("JPEG, progressive", "JPEG", {"quality": 92, "progressive": True}),
        ("PNG", "PNG", {}),
        ("WebP", "WEBP", {"quality": 92}),
        ("WebP, lossless", "WEBP", {"lossless": True}),
        ("BMP", "BMP", {}),
        ("AVIF", "AVIF", {"quality": 90}),
        ("JPEG 2000", "JPEG2000", {}),
        ("JPEG 2000, lossy", "JPEG2000", {"quality_mode": "rates", "quality_layers": [12]}),
        ("TIFF", "TIFF", {}),
        ("TIFF, LZW", "TIFF", {"compression": "tiff_lzw"}),
        ("TIFF, deflate", "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF, JPEG", "TIFF", {"compression": "jpeg", "quality": 92}),
        ("TIFF, big", "TIFF", {"big_tiff": True}),
    ]
    for name, format_, options in ways:
        yield Sample(name, encoded(plain, format_, **options), lossy(plain, format_, **options))
    grey = plain.convert("L")
    yield Sample("JPEG, grey", encoded(grey, "JPEG", quality=92), lossy(grey, "JPEG", quality=92))
    yield Sample("GIF", encoded(plain, "GIF"), plain)
    frames = [Image.new("RGB", plain.size, "green")] * 2
    for format_ in ("GIF", "WEBP", "PNG", "AVIF"):
        content = encoded(plain, format_, save_all=True, append_images=frames, duration=50, quality=92)
        seen = lossy(plain, format_, quality=92)
        yield Sample(f"{format_}, animated: its first frame", content, seen)
    first = lossy(plain, "JPEG", quality=92)
    content = encoded(plain, "MPO", save_all=True, append_images=frames, quality=92)
    yield Sample("MPO: its first picture", content, first)
    clip = encoded(plain, "JPEG", quality=92) + b"\0\0\0\x18ftypmp42" + b"\xff\xda\0\x0c" * 50_000
    yield Sample("JPEG with a film behind it", clip, first)
    noise = np.random.default_rng(5).integers(0, 256, 2_000_000, np.uint8).tobytes()
    text = b"Comment\0\0" + zlib.compress(noise.hex().encode())
    yield Sample("PNG with 4 MB of packed text", with_chunk(encoded(plain, "PNG"), b"zTXt", text), plain)


def _turned(plain: Image.Image) -> Iterator[Sample]:
    upright = lossy(plain, "JPEG", quality=95)
    for orientation, how in ORIENTATIONS.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        content = encoded(plain.transpose(how), "JPEG", quality=95, exif=exif)
        yield Sample(f"JPEG, turned ({orientation})", content, upright, SAME)
    lying = plain.transpose(ORIENTATIONS[6])
    exif = Image.Exif()
    exif[0x0112] = 6
    for format_, options in KEEPING.items():
        content = encoded(lying, format_, exif=exif, **options)
        yield Sample(f"{format_}, turned", content, lossy(plain, format_, **options), SAME)
    odd = encoded(lying, "JPEG", quality=95, exif=odd_exif(6))
    yield Sample("JPEG, turned, odd EXIF", odd, upright, SAME)


def odd_exif(orientation: int) -> bytes:
    """Return EXIF whose other fields are of types and places that no reader expects."""
    fields = [
        (0x0112, 3, 1, orientation << 16),
        (0x8825, 4, 1, 8 + 2 + 12 * 4 + 4),
        (0x011A, 2, 9, 0xFFFF_FF00),
        (0x8769, 4, 1, 0x7FFF_FFFF),
    ]
    first = struct.pack(">H", 4) + b"".join(struct.pack(">HHII", *field) for field in fields) + bytes(4)
    places = struct.pack(">HHHI4sHHI4sI", 2, 2, 2, 4, b"12.5", 4, 2, 4, b"east", 0)
    return b"Exif\0\0MM\0*\0\0\0\x08" + first + places


def _coloured(plain: Image.Image) -> Iterator[Sample]:
    for name, primaries, gamma in (("P3", profiles.P3, 2.2), ("Adobe", profiles.ADOBE, 2.2)):
        profile = profiles.rgb_profile(primaries, gamma)
        wide = profiles.in_profile(plain, profile)
        for format_, options in {**KEEPING, "JPEG": {"quality": 95}}.items():
            content = encoded(wide, format_, icc_profile=profile, **options)
            yield Sample(
                f"{format_} in a profile like {name}", content, lossy(plain, format_, **options), SAME
            )
    wide = profiles.in_profile(plain, profile_of_numbers(b"colrnclx\0\x0c\0\x0d\0\6") or b"")
    content = encoded(wide, "AVIF", quality=95)
    at = content.index(b"colrnclx") + 8
    numbered = content[:at] + struct.pack(">HH", 12, 13) + content[at + 4 :]
    yield Sample("AVIF in P3 by numbers", numbered, lossy(plain, "AVIF", quality=95), SAME)
    wide = profiles.in_profile(plain, profiles.rgb_profile(profiles.P3, 2.2))
    large = profiles.rgb_profile(profiles.P3, 2.2, padding=2_000_000)
    content = encoded(wide, "JPEG", quality=95, icc_profile=large)
    yield Sample("JPEG with a profile of 2 MB", content, lossy(plain, "JPEG", quality=95), SAME)
    yield Sample("PNG with a profile of 2 MB", encoded(wide, "PNG", icc_profile=large), plain, SAME)
    broken = encoded(plain, "PNG", icc_profile=large[:200])
    yield Sample("PNG with a broken profile", broken, plain, SAME)
    dark = profiles.grey_profile(1.0)
    grey = profiles.in_profile(plain, dark)
    yield Sample(
        "JPEG, grey in a linear profile",
        encoded(grey, "JPEG", quality=97, icc_profile=dark),
        plain.convert("L"),
    )
    inks, seen = profiles.as_inks(plain)
    for format_, options in (("JPEG", {"quality": 95}), ("TIFF", {})):
        content = encoded(inks, format_, icc_profile=profiles.press_profile(), **options)
        yield Sample(f"{format_}, CMYK of a press", content, seen)
    untagged = plain.convert("CMYK")
    yield Sample("JPEG, CMYK without a profile", encoded(untagged, "JPEG", quality=95), plain)
    yield Sample("TIFF, Lab", encoded(plain.convert("LAB"), "TIFF"), plain)


def _deep(plain: Image.Image) -> Iterator[Sample]:
    grey = plain.convert("L")
    shares = np.asarray(grey) / 255.0
    for bits in (8, 10, 12, 14, 16):
        deep = Image.fromarray((shares * ((1 << bits) - 1)).round().astype(np.uint16))
        yield Sample(f"PNG, grey of {bits} bits in 16", encoded(deep, "PNG"), grey, SAME)
        yield Sample(f"TIFF, grey of {bits} bits in 16", encoded(deep, "TIFF"), grey, SAME)
        colours = (np.asarray(plain) / 255.0 * ((1 << bits) - 1)).round().astype(np.uint16)
        yield Sample(f"PNG, colours of {bits} bits in 16", deep_png(colours), plain, SAME)
        yield Sample(f"TIFF, colours of {bits} bits in 16", deep_tiff(colours), plain, SAME)
    for name, top in (("1", 1.0), ("255", 255.0), ("4095", 4095.0)):
        content = encoded(Image.fromarray((shares * top).astype(np.float32)), "TIFF")
        yield Sample(f"TIFF, floats up to {name}", content, grey, SAME)
    colours = np.asarray(plain) / 255.0
    for name, dtype, top in (
        ("floats", "<f4", 1.0),
        ("half floats", "<f2", 1.0),
        ("16 bits", "<u2", 65535.0),
    ):
        for in_planes in (True, False):
            for is_packed in (True, False):
                content = deep_tiff((colours * top).astype(dtype), in_planes=in_planes, is_packed=is_packed)
                how = f"{', in planes' if in_planes else ''}{', packed' if is_packed else ''}"
                yield Sample(f"TIFF, colours of {name}{how}", content, plain, SAME)
    whole = Image.fromarray((shares * 1023).round().astype(np.int32))
    yield Sample("TIFF, 10 bits in 32", encoded(whole, "TIFF"), grey, SAME)
    white_is_zero = Image.fromarray(((1 - shares) * 65535).round().astype(np.uint16))
    yield Sample(
        "TIFF, 16 bits, white is zero", encoded(white_is_zero, "TIFF", tiffinfo={262: 0}), grey, SAME
    )


def _of_scanners(plain: Image.Image) -> Iterator[Sample]:
    bits = plain.convert("1")
    for compression in ("group3", "group4", "packbits", "tiff_lzw"):
        yield Sample(f"TIFF, 1 bit, {compression}", encoded(bits, "TIFF", compression=compression), bits)
    page = Image.new("1", (2480, 3508), 1)
    ImageDraw.Draw(page).rectangle((300, 300, 2180, 700), fill=0)
    yield Sample("TIFF, a page of 1 bit at 300 dpi", encoded(page, "TIFF", compression="group4"), page)


def _transparent(plain: Image.Image) -> Iterator[Sample]:
    cut = plain.convert("RGBA")
    mask = Image.new("L", plain.size, 0)
    ImageDraw.Draw(mask).rectangle((60, 40, 400, 300), fill=255)
    cut.putalpha(mask)
    over_white = Image.composite(plain, Image.new("RGB", plain.size, "white"), mask)
    for format_, options in KEEPING.items():
        seen = lossy(over_white, format_, **options)
        yield Sample(f"{format_}, transparent", encoded(cut, format_, **options), seen, SAME)


def _raw(plain: Image.Image) -> Iterator[Sample]:
    large = plain.resize((1620, 1080), Image.Resampling.BICUBIC)
    thumbnail = encoded(Image.new("RGB", (160, 120), "green"), "JPEG")
    preview = encoded(large.transpose(ORIENTATIONS[8]), "JPEG", quality=92)
    for name, build in MAKERS.items():
        yield Sample(f"camera raw, {name}", build(preview, thumbnail, 8), large)


def heif_samples(plain: Image.Image) -> Iterator[Sample]:
    """Yield the HEIC files, which were made once: this build reads them and writes none."""
    for path in sorted(SAMPLES.glob("*.heic")):
        yield Sample(f"HEIC, {path.stem}", path.read_bytes(), plain)


def with_chunk(png: bytes, name: bytes, body: bytes) -> bytes:
    """Return a PNG with one chunk more behind its header."""
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return png[:33] + chunk + png[33:]


GROUPS: dict[str, Callable[[Image.Image], Iterator[Sample]]] = {
    "plain": _plain_ones,
    "turned": _turned,
    "coloured": _coloured,
    "deep": _deep,
    "of scanners": _of_scanners,
    "transparent": _transparent,
    "raw": _raw,
    "HEIF": heif_samples,
}
"""Files of the drawn scene by what is special about them."""
