"""Untrusted bytes become an upright RGB picture, or the error that says why not."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from picture_files import encode
from PIL import Image

from core.errors import ExemplarError
from core.pictures import decode_picture, make_thumbnail

MAX_PIXELS = 50_000_000
RED, GREEN, WHITE = (255, 0, 0), (0, 128, 0), (255, 255, 255)


def decoded(content: bytes) -> Image.Image:
    picture = decode_picture(content, max_pixels=MAX_PIXELS)
    assert picture.mode == "RGB"
    return picture


def code_of(content: bytes, max_pixels: int = MAX_PIXELS) -> str:
    with pytest.raises(ExemplarError) as caught:
        decode_picture(content, max_pixels=max_pixels)
    return caught.value.code


def noise(width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 90).convert("RGB")


def png_with_header(width: int, height: int) -> bytes:
    def part(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + part(b"IDAT", zlib.compress(b"")) + part(b"IEND", b"")


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_allowed_format_is_decoded(format_: str) -> None:
    picture = decoded(encode(Image.new("RGB", (40, 30), RED), format_))
    assert picture.size == (40, 30)
    assert all(abs(a - b) <= 3 for a, b in zip(picture.getpixel((20, 15)), RED, strict=True))


def test_no_bytes_are_no_picture() -> None:
    assert code_of(b"") == "picture_empty"


def test_text_is_unreadable_whatever_its_name() -> None:
    assert code_of(b"this is holiday.jpg, honestly\n" * 9) == "picture_unreadable"


@pytest.mark.parametrize("format_", ["PPM", "ICO", "PCX"])
def test_format_that_is_not_allowed_is_unreadable(format_: str) -> None:
    assert code_of(encode(noise(32, 32), format_)) == "picture_unreadable"


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_cut_off_picture_is_unreadable(format_: str, kept: float) -> None:
    whole = encode(noise(200, 200), format_)
    assert code_of(whole[: int(len(whole) * kept)]) == "picture_unreadable"


def test_too_many_pixels_are_refused() -> None:
    assert code_of(encode(noise(101, 100)), max_pixels=10_000) == "picture_too_large"
    assert decode_picture(encode(noise(100, 100)), max_pixels=10_000).size == (100, 100)


def test_bomb_of_two_kilobytes_is_refused_before_it_is_unpacked() -> None:
    bomb = encode(Image.new("1", (5000, 4000)))
    assert len(bomb) < 3000
    assert code_of(bomb) == "picture_bomb"


def test_header_that_promises_more_than_fits_is_refused() -> None:
    assert code_of(png_with_header(30_000, 30_000)) == "picture_too_large"


def test_header_that_promises_more_than_comes_is_unreadable() -> None:
    assert code_of(png_with_header(500, 500)) == "picture_unreadable"


def test_blank_picture_is_no_bomb() -> None:
    assert decoded(encode(Image.new("RGB", (3000, 2000), "white"))).size == (3000, 2000)


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation_counts(format_: str) -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in (RED, GREEN, WHITE)]
    content = encode(frames[0], format_, save_all=True, append_images=frames[1:], duration=50)
    red, green, blue = decoded(content).getpixel((5, 5))
    assert red > 240 and green < 15 and blue < 15


@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
def test_cmyk_keeps_its_colors(format_: str) -> None:
    red, green, blue = decoded(encode(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), format_)).getpixel(
        (5, 5)
    )
    assert red > 200 and green < 80 and blue < 80


@pytest.mark.parametrize(("value", "seen"), [(0, 0), (0x4000, 0x40), (0x8000, 0x80), (0xFFFF, 0xFF)])
def test_16_bit_grey_is_scaled_not_clipped(value: int, seen: int) -> None:
    content = encode(Image.new("I;16", (8, 8), value))
    assert decoded(content).getpixel((4, 4)) == (seen, seen, seen)


def test_palette_with_alpha_is_laid_over_white() -> None:
    picture = Image.new("P", (10, 10), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.putpixel((0, 0), 0)
    content = encode(picture, transparency=b"\x00\xff")
    assert decoded(content).getpixel((0, 0)) == WHITE
    assert decoded(content).getpixel((5, 5)) == RED


def test_half_transparent_red_becomes_pink() -> None:
    red, green, blue = decoded(encode(Image.new("RGBA", (10, 10), (255, 0, 0, 128)))).getpixel((5, 5))
    assert red == 255 and 120 <= green == blue <= 135


def test_grey_with_alpha_is_laid_over_white() -> None:
    assert decoded(encode(Image.new("LA", (10, 10), (0, 0)))).getpixel((5, 5)) == WHITE
    assert decoded(encode(Image.new("LA", (10, 10), (0, 255)))).getpixel((5, 5)) == (0, 0, 0)


def test_single_transparent_color_is_laid_over_white() -> None:
    content = encode(Image.new("RGB", (10, 10), GREEN), transparency=GREEN)
    assert decoded(content).getpixel((5, 5)) == WHITE


def test_1_bit_is_black_and_white() -> None:
    picture = Image.new("1", (10, 10), 1)
    picture.putpixel((0, 0), 0)
    assert decoded(encode(picture)).getpixel((0, 0)) == (0, 0, 0)
    assert decoded(encode(picture)).getpixel((5, 5)) == WHITE


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_turns_the_picture_upright(format_: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.new("RGB", (640, 480), WHITE)
    lying.paste(RED, (0, 0, 640, 240))  # the upper half; upright it is the right half
    upright = decoded(encode(lying, format_, exif=exif))
    assert upright.size == (480, 640)
    assert upright.getpixel((400, 320))[1] < 60
    assert upright.getpixel((80, 320))[1] > 200


def test_unreadable_exif_does_not_spoil_the_picture() -> None:
    content = encode(Image.new("RGB", (40, 30), RED), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7fnonsense")
    assert decoded(content).size == (40, 30)


@pytest.mark.slow
def test_large_jpeg_is_decoded_no_larger_than_an_encoder_looks() -> None:
    assert max(decoded(encode(noise(4096, 4096), "JPEG", quality=30)).size) <= 2048


def test_thumbnail_is_small_and_keeps_the_proportions() -> None:
    thumbnail = Image.open(BytesIO(make_thumbnail(decoded(encode(noise(800, 400))))))
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (160, 80))


def test_thumbnail_of_a_hairline_is_not_empty() -> None:
    assert Image.open(BytesIO(make_thumbnail(Image.new("RGB", (2000, 1))))).size == (160, 1)


def test_thumbnail_carries_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010F] = "secret camera"
    content = encode(
        noise(80, 80), "JPEG", exif=exif, comment=b"secret comment", icc_profile=b"secret profile"
    )
    assert content.count(b"secret") == 3
    thumbnail = make_thumbnail(decoded(content))
    assert b"secret" not in thumbnail
    assert b"Exif" not in thumbnail
