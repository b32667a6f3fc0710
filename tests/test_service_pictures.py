"""Pictures of all kinds through the queue: bad ones fail alone, unusual ones are decoded correctly."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import httpx
import pytest
from calls import ask, codes, enroll
from picture_files import encode
from PIL import Image

from benchmarks.profiles import P3, in_profile, rgb_profile
from benchmarks.raw_files import MAKERS
from benchmarks.scenes import SAMPLES, scene

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]

SAME = 0.999  # cosine of two encodings of one picture, despite JPEG's losses
ALIKE = 0.9


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of a few KB that is very large once decoded."""

    def part(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    packer = zlib.compressobj(9)
    row = bytes(1 + width // 8)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", pixels) + part(b"IEND", b"")


@pytest.fixture
def photo(digits: Digits) -> Image.Image:
    """A picture that is neither symmetric nor grey."""
    picture = Image.open(BytesIO(digits(4, 0))).convert("RGB").resize((96, 64))
    picture.paste((220, 40, 20), (0, 0, 30, 64))
    return picture


def test_bad_picture_fails_alone(http: httpx.Client, collection: str, digits: Digits) -> None:
    good = digits(0, 0)
    jpeg = encode(Image.effect_noise((400, 300), 80).convert("RGB"), "JPEG")
    bad = [
        (b"this is a text named .jpg", "picture_unreadable"),
        (jpeg[: len(jpeg) // 2], "picture_unreadable"),
        (jpeg[:20], "picture_unreadable"),
        (bomb(5000, 4000), "picture_bomb"),
        (bomb(30_000, 30_000)[:74], "picture_too_large"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "picture_unreadable"),
        (b"\x00", "picture_unreadable"),
        (b"", "picture_empty"),
    ]
    pictures = [picture for content, _ in bad for picture in (content, good)]
    results = ask(http, collection, *pictures)
    assert codes(results) == [code for _, wanted in bad for code in (wanted, "")]


def test_bad_picture_is_not_enrolled_and_its_neighbours_are(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    results = enroll(http, collection, "zero", digits(0, 0), b"text", digits(0, 1))
    assert codes(results) == ["", "picture_unreadable", ""]
    assert http.get(f"/v1/collections/{collection}").json()["supports"] == 2


def test_worker_lives_on_after_bad_pictures(http: httpx.Client, collection: str, digits: Digits) -> None:
    ask(http, collection, *[b"text", bomb(5000, 4000)] * 8)
    assert codes(ask(http, collection, digits(0, 0))) == [""]
    assert http.get("/readyz").json()["status"] == "ready"


def as_gif(photo: Image.Image) -> bytes:
    frames = [Image.new("RGB", photo.size, "green")] * 2
    return encode(photo, "GIF", save_all=True, append_images=frames, duration=50)


def as_grey16(photo: Image.Image) -> bytes:
    return encode(photo.convert("L").convert("I").point(lambda value: value * 257).convert("I;16"))


def with_palette(photo: Image.Image) -> Image.Image:
    return photo.quantize(64).convert("RGBA").quantize(64)


def as_turned(photo: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    return encode(photo.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)


def as_raw(photo: Image.Image) -> bytes:
    preview, thumbnail = encode(scene((800, 600)), "JPEG"), encode(photo, "JPEG")
    return MAKERS["CR3"](preview, thumbnail, 1)


def as_wide(photo: Image.Image) -> bytes:
    profile = rgb_profile(P3, 2.2)
    return encode(in_profile(photo, profile), icc_profile=profile)


ODD = {
    "animated GIF, its first frame": (as_gif, lambda photo: photo, ALIKE),
    "CMYK": (lambda photo: encode(photo.convert("CMYK"), "JPEG", quality=95), lambda photo: photo, ALIKE),
    "16-bit grey": (as_grey16, lambda photo: photo.convert("L"), SAME),
    "palette with alpha": (
        lambda photo: encode(with_palette(photo)),
        lambda photo: with_palette(photo).convert("RGB"),
        SAME,
    ),
    "turned by EXIF": (as_turned, lambda photo: photo, SAME),
    "WebP": (lambda photo: encode(photo, "WEBP", lossless=True), lambda photo: photo, SAME),
    "1 bit": (lambda photo: encode(photo.convert("1")), lambda photo: photo.convert("1"), SAME),
    "TIFF": (lambda photo: encode(photo, "TIFF"), lambda photo: photo, SAME),
    "HEIC": (lambda _: (SAMPLES / "plain.heic").read_bytes(), lambda _: scene(), ALIKE),
    "AVIF": (lambda photo: encode(photo, "AVIF", quality=90), lambda photo: photo, ALIKE),
    "camera raw": (as_raw, lambda _: scene((800, 600)), ALIKE),
    "wide gamut": (as_wide, lambda photo: photo, ALIKE),
    "BMP": (lambda photo: encode(photo, "BMP"), lambda photo: photo, SAME),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_picture_is_seen_as_the_plain_one(
    http: httpx.Client, collection: str, photo: Image.Image, name: str
) -> None:
    make, plain, least = ODD[name]
    enroll(http, collection, "plain", encode(plain(photo)))
    [result] = ask(http, collection, make(photo), call="search")
    assert result["neighbours"][0]["similarity"] >= least


def test_transparent_picture_lies_on_white(http: httpx.Client, collection: str, photo: Image.Image) -> None:
    cut = photo.convert("RGBA")
    cut.paste((0, 0, 0, 0), (40, 0, 96, 64))
    white = photo.copy()
    white.paste("white", (40, 0, 96, 64))
    enroll(http, collection, "white", encode(white))
    [result] = ask(http, collection, encode(cut), call="search")
    assert result["neighbours"][0]["similarity"] >= SAME


def test_thumbnail_is_small_upright_and_without_metadata(
    http: httpx.Client, collection: str, photo: Image.Image
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a secret place"
    large = photo.resize((960, 640))
    [result] = enroll(http, collection, "a", encode(large, "JPEG", exif=exif))
    content = http.get(f"/v1/collections/{collection}/supports/{result['support_id']}/thumbnail").content
    thumbnail = Image.open(BytesIO(content))
    assert thumbnail.size == (107, 160)
    assert not thumbnail.getexif() and b"secret" not in content
