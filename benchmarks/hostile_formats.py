"""Files that mean harm in the formats that phones and cameras write, and in colour profiles."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from benchmarks import profiles
from benchmarks.deep_files import deep_tiff
from benchmarks.raw_files import MAKERS
from benchmarks.scenes import SAMPLES, encoded, scene

File = tuple[str, bytes, bool]
"""A name, the content, and whether it may pass as a picture."""


def hostile_formats() -> Iterator[File]:
    """Yield every file."""
    yield from _heif()
    yield from _avif()
    yield from _jpeg2000()
    yield from _raw()
    yield from _profiles()
    yield from _boxes()
    yield from _large()


def _large() -> Iterator[File]:
    """Yield the most pixels that are allowed in the modes that take the most memory."""
    size = (7000, 7000)
    yield "png, 7000 x 7000 with alpha", encoded(Image.new("RGBA", size), "PNG", compress_level=1), True
    wide = profiles.rgb_profile(profiles.P3, 2.2)
    content = encoded(Image.new("RGB", size), "TIFF", compression="packbits", icc_profile=wide)
    yield "tiff, 7000 x 7000 in a wide profile", content, True
    for mode in ("F", "I;16", "CMYK"):
        content = encoded(Image.new(mode, size), "TIFF", compression="packbits")
        yield f"tiff, 7000 x 7000 of mode {mode}", content, True
    wide_samples = deep_tiff(np.zeros((4000, 4000, 3), np.float32), is_packed=True)
    yield "tiff, 4000 x 4000 floats of colours", wide_samples, True
    many = deep_tiff(np.zeros((6000, 6000, 3), np.float16), is_packed=True)
    yield "tiff, 6000 x 6000 half floats of colours", many, False
    yield "tiff of floats, its first half", wide_samples[: len(wide_samples) // 2], False
    yield "jpeg, 65000 x 760", encoded(Image.new("RGB", (65_000, 760)), "JPEG"), True
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "png, 7000 x 7000 turned", encoded(Image.new("RGB", size), "PNG", compress_level=1, exif=exif), True


def _heif() -> Iterator[File]:
    whole = (SAMPLES / "plain.heic").read_bytes()
    at = whole.index(b"ispe") + 8
    for width, height in ((30_000, 30_000), (2**32 - 1, 2**32 - 1), (0, 0), (65_535, 700)):
        lying = whole[:at] + struct.pack(">II", width, height) + whole[at + 8 :]
        yield f"heic says {width} x {height}", lying, False
    small = whole[:at] + struct.pack(">II", 16, 16) + whole[at + 8 :]
    yield "heic says 16 x 16 and holds more", small, True
    large = whole[:at] + struct.pack(">II", 4800, 3200) + whole[at + 8 :]
    yield "heic says 4800 x 3200 and holds less", large, True
    yield "heic whose data is noise", whole[:-6000] + bytes(range(256)) * 24, True
    yield "heic and zeros", whole + bytes(5_000_000), True
    location = whole.index(b"iloc")
    yield "heic whose items are nowhere", whole[: location + 8] + b"\xff" * 16 + whole[location + 24 :], False
    yield (
        "heic of 200,000 properties",
        whole.replace(b"ipco", b"ipco" + b"\0\0\0\x08free" * 200_000, 1),
        False,
    )
    yield "heic without its decoder's header", whole.replace(b"hvcC", b"free"), False


def _avif() -> Iterator[File]:
    whole = encoded(scene(), "AVIF")
    at = whole.index(b"ispe") + 8
    for width, height in ((30_000, 30_000), (2**32 - 1, 1), (0, 0)):
        yield (
            f"avif says {width} x {height}",
            whole[:at] + struct.pack(">II", width, height) + whole[at + 8 :],
            False,
        )
    yield "avif whose data is noise", whole[:-3000] + bytes(range(256)) * 12, True
    frames = [Image.new("RGB", (64, 64), (n, 0, 0)) for n in range(250)]
    yield (
        "avif of 250 frames",
        encoded(frames[0], "AVIF", save_all=True, append_images=frames[1:], speed=10),
        True,
    )
    yield "avif, 5000 x 4000 blank", encoded(Image.new("RGB", (5000, 4000)), "AVIF", speed=10), False


def _jpeg2000() -> Iterator[File]:
    whole = encoded(scene(), "JPEG2000")
    at = whole.index(b"\xff\x51") + 6
    for width, height in ((60_000, 60_000), (2**32 - 1, 2**32 - 1), (0, 0)):
        lying = whole[:at] + struct.pack(">II", width, height) + whole[at + 8 :]
        yield f"jpeg 2000 says {width} x {height}", lying, False
    tiles = whole[: at + 16] + struct.pack(">II", 1, 1) + whole[at + 24 :]
    yield "jpeg 2000 of 150,000 tiles", tiles, False
    yield "jpeg 2000 of 16,384 components", whole[: at + 32] + b"\x40\x00" + whole[at + 34 :], False
    wide = Image.new("L", (49_000, 1000))
    wide.paste(Image.effect_noise((490, 1000), 20))  # noise all over takes many times as long to encode
    thin = encoded(wide, "JPEG2000", quality_mode="rates", quality_layers=[40])
    yield "jpeg 2000, 49000 x 1000", thin, True
    yield "jpeg 2000, 5000 x 4000 blank", encoded(Image.new("L", (5000, 4000)), "JPEG2000"), True


def _raw() -> Iterator[File]:
    thumbnail = encoded(scene((160, 120)), "JPEG")
    preview = encoded(scene((1620, 1080)), "JPEG")
    for name, build in MAKERS.items():
        yield f"{name} with a thumbnail alone", build(thumbnail, thumbnail, 1), False
        whole = build(preview, thumbnail, 1)
        yield f"{name}, its first half", whole[: len(whole) // 2], False
    frame = preview.index(b"\xff\xc0")
    huge = preview[: frame + 5] + struct.pack(">HH", 65_500, 65_500) + preview[frame + 9 :]
    yield "DNG whose preview says 65500 x 65500", MAKERS["DNG"](huge, thumbnail, 1), False
    flat = encoded(Image.new("RGB", (1000, 1000), "white"), "JPEG", progressive=True)
    scan = flat[flat.rindex(b"\xff\xda") : -2]
    yield (
        "DNG whose preview has 20,000 scans",
        MAKERS["DNG"](flat[:-2] + scan * 20_000 + flat[-2:], thumbnail, 1),
        False,
    )
    loop = struct.pack("<HHHIIHHIII", 2, 330, 4, 2**20, 8, 34665, 4, 1, 8, 8)
    yield "raw whose directories lead to themselves", b"II*\0\x08\0\0\0" + loop, False
    many = struct.pack("<H", 65_535) + struct.pack("<HHII", 513, 4, 1, 0) * 65_535
    yield "CR2 of 65,535 fields", b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + many, False
    chain = b"".join(struct.pack("<HI", 0, 16 + 6 * (n + 1)) for n in range(100_000))
    yield "CR2 of 100,000 directories", b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + chain, False
    yield (
        "RAF whose JPEG has 4 GB",
        b"FUJIFILMCCD-RAW ".ljust(84, b"\0") + b"\0\0\0\x5c\xff\xff\xff\xff",
        False,
    )
    yield "RAF without a header", b"FUJIFILMCCD-RAW", False


def _profiles() -> Iterator[File]:
    picture = scene()
    inks, _ = profiles.as_inks(picture)
    wide, press = profiles.rgb_profile(profiles.P3, 2.2), profiles.press_profile()
    for name, profile in (("noise", bytes(range(256)) * 20), ("zeros", bytes(3000)), ("one byte", b"\0")):
        yield f"jpeg with a profile of {name}", encoded(picture, "JPEG", icc_profile=profile), True
    for at in (128, 132, 136, 140):
        lying = wide[:at] + b"\xff\xff\xff\xf0" + wide[at + 4 :]
        yield f"jpeg whose profile lies at {at}", encoded(picture, "JPEG", icc_profile=lying), True
    table = press.index(b"mft1")
    for number, what in ((8, "channels in"), (9, "channels out"), (10, "steps")):
        lying = press[: table + number] + b"\xff" + press[table + number + 1 :]
        yield f"cmyk jpeg of 255 {what}", encoded(inks, "JPEG", icc_profile=lying), True
    yield "cmyk jpeg with a profile of rgb", encoded(inks, "JPEG", icc_profile=wide), True
    yield "rgb jpeg with a profile of cmyk", encoded(picture, "JPEG", icc_profile=press), True
    large = profiles.rgb_profile(profiles.P3, 2.2, padding=12_000_000)
    yield "jpeg with a profile of 12 MB", encoded(picture, "JPEG", icc_profile=large), True


def _boxes() -> Iterator[File]:
    canon = b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"
    yield "cr3 of boxes without a size", canon + b"\0\0\0\0moov" + b"\0\0\0\0trak" * 1000, False
    yield "cr3 of 100,000 empty boxes", canon + b"\0\0\0\x08free" * 100_000, False
    yield "cr3 whose box has 2**63 bytes", canon + b"\0\0\0\1moov\x7f" + b"\xff" * 7 + bytes(100), False
    nested = b""
    for _ in range(5000):
        nested = struct.pack(">I4s", len(nested) + 8, b"trak") + nested
    yield (
        "cr3 of 5,000 boxes in each other",
        canon + struct.pack(">I4s", len(nested) + 8, b"moov") + nested,
        False,
    )
    for brand in (b"mp42", b"qt  ", b"isom"):
        yield (
            f"a video ({brand.decode().strip()})",
            b"\0\0\0\x18ftyp" + brand + bytes(12) + b"\0\0\0\x08mdat",
            False,
        )
