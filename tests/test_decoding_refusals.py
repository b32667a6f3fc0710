"""What is refused says what it is; limits hit bombs, and nothing that people have."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from picture_files import SHARED, encode
from PIL import Image, ImageDraw, ImageOps

from benchmarks import profiles
from benchmarks.raw_files import MAKERS
from benchmarks.scenes import ORIENTATIONS, SAMPLES, odd_exif, scene, with_chunk
from core.decoding import jpeg
from core.decoding.depth import white_of
from core.errors import ExemplarError
from core.picture_formats import FORMATS, SUFFIXES, Format, live_photo_names
from core.pictures import decode_picture
from core.settings import Settings, read_settings

MAX_PIXELS = 50_000_000


def decoded(content: bytes, **options: object) -> Image.Image:
    return decode_picture(content, max_pixels=MAX_PIXELS, **options)


def refusal(content: bytes, **options: object) -> str:
    with pytest.raises(ExemplarError) as caught:
        decoded(content, **options)
    return f"{caught.value.code}: {caught.value.message}"


NAMED = {
    "a video (QuickTime)": b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
    "a video (MP4)": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
    "a video (Matroska or WebM)": b"\x1a\x45\xdf\xa3" + bytes(50),
    "a video (AVI)": b"RIFF\0\0\0\0AVI LIST",
    "JPEG XL": b"\xff\x0a" + bytes(50),
    "a Photoshop document": b"8BPS\0\1" + bytes(50),
    "a PDF": b"%PDF-1.7",
    "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "a web page": b"<!DOCTYPE html><html></html>",
    "a zip archive": b"PK\x03\x04" + bytes(30),
    "camera raw of a kind that is not read (X3F)": b"FOVb" + bytes(50),
    "31 bytes of something else": b"this is holiday.jpg, honestly.\n",
}


@pytest.mark.parametrize("title", NAMED)
def test_what_is_not_read_is_named(title: str) -> None:
    assert refusal(NAMED[title]).startswith("picture_unreadable: expected a picture (JPEG, ")
    assert refusal(NAMED[title]).endswith(f"got {title}")


def test_format_without_its_decoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Format, "is_installed", property(lambda format_: not format_.module))
    heic = (SAMPLES / "plain.heic").read_bytes()
    assert refusal(heic) == (
        "picture_unreadable: HEIC; this build has no HEIF decoder (it comes with pi-heif)"
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_is_installed_here(format_: Format) -> None:
    assert format_.is_installed


def test_format_that_is_turned_off_says_so() -> None:
    heic = (SAMPLES / "plain.heic").read_bytes()
    assert refusal(heic, formats_off=("heif", "raw")) == (
        "picture_unreadable: HEIC; turned off here by EXEMPLAR_FORMATS_OFF=heif"
    )
    assert decoded(heic, formats_off=("raw",)).size == (480, 320)


def test_raw_is_turned_off_for_all_makers_and_plain_tiff_stays() -> None:
    preview = encode(scene((800, 600)), "JPEG")
    for build in MAKERS.values():
        assert "camera raw; turned off" in refusal(build(preview, preview, 1), formats_off=("raw",))
    assert decoded(encode(scene(), "TIFF"), formats_off=("raw",)).size == (480, 320)


def test_formats_off_is_a_list_of_names_that_there_are() -> None:
    assert read_settings({"EXEMPLAR_FORMATS_OFF": "heif, raw"}).formats_off == ("heif", "raw")
    assert Settings().formats_off == ()
    with pytest.raises(ExemplarError, match="'heic'") as caught:
        read_settings({"EXEMPLAR_FORMATS_OFF": "heic"})
    assert caught.value.code == "settings_invalid"


def test_no_suffix_belongs_to_two_formats() -> None:
    assert len(SUFFIXES) == sum(len(format_.suffixes) for format_ in FORMATS)


@pytest.mark.parametrize("maker", MAKERS)
def test_raw_is_never_seen_by_its_thumbnail(maker: str) -> None:
    thumbnail = encode(scene((160, 120)), "JPEG")
    assert "without a JPEG preview" in refusal(MAKERS[maker](thumbnail, thumbnail, 1))


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_raw_is_turned_as_its_camera_says(maker: str, orientation: int) -> None:
    upright = scene((800, 600))
    lying = upright.transpose(ORIENTATIONS[orientation]) if orientation > 1 else upright
    content = MAKERS[maker](encode(lying, "JPEG", quality=95), encode(scene((160, 120)), "JPEG"), orientation)
    seen = decoded(content)
    assert seen.size == (800, 600)
    assert np.abs(np.asarray(seen).astype(int) - np.asarray(upright)).mean() < 3


def test_preview_that_turns_itself_is_not_turned_again() -> None:
    lying = scene((800, 600)).transpose(ORIENTATIONS[6])
    preview = jpeg.with_orientation(encode(lying, "JPEG"), 6)
    assert decoded(MAKERS["DNG"](preview, encode(scene((160, 120)), "JPEG"), 6)).size == (800, 600)


def test_scans_are_counted_up_to_the_end_of_the_picture() -> None:
    progressive = encode(scene(), "JPEG", progressive=True)
    scan = progressive[progressive.rindex(jpeg.SCAN) : -2]
    many = progressive[:-2] + scan * 60 + progressive[-2:]
    assert not jpeg.is_within_scans(many, 40)
    assert "40 scans" in refusal(many)
    assert jpeg.is_within_scans(progressive + scan * 60, 40)
    assert decoded(progressive + scan * 60).size == (480, 320)


def test_large_profile_is_no_scan() -> None:
    profile = profiles.rgb_profile(profiles.P3, 2.2, padding=300_000)
    assert profile.count(jpeg.SCAN) > 40
    assert decoded(encode(scene(), "JPEG", icc_profile=profile)).size == (480, 320)


@pytest.mark.slow
def test_blank_page_of_one_bit_is_no_bomb() -> None:
    page = Image.new("1", (2480, 3508), 1)
    content = encode(page, "TIFF", compression="group4")
    assert len(content) < 2000
    assert decoded(content).size == page.size
    written = Image.new("1", (4960, 7016), 1)  # A4 at 600 dpi
    draw = ImageDraw.Draw(written)
    for row in range(300, 6700, 100):
        draw.text((300, row), "a line of some words on a page, as it is typed " * 10, fill=0, font_size=60)
    assert decoded(encode(written, "TIFF", compression="group4")).size == written.size


def test_texts_cost_the_text_and_not_the_picture() -> None:
    packed = zlib.compress(bytes(5_000_000))
    plain = encode(scene())
    for chunk in (
        (b"zTXt", b"Comment\0\0" + packed),
        (b"iTXt", b"Comment\0\1\0\0\0" + packed),
        (b"iCCP", b"icc\0\0" + zlib.compress(bytes(50_000_000))),
        (b"iCCP", b"icc\0\0noise"),
        (b"zTXt", b"no end"),
    ):
        assert np.array_equal(np.asarray(decoded(with_chunk(plain, *chunk))), np.asarray(scene()))


def test_orientation_is_read_out_of_exif_that_nobody_could_write_again() -> None:
    lying = scene().transpose(ORIENTATIONS[6])
    content = encode(lying, "JPEG", exif=odd_exif(6))
    with pytest.raises(TypeError):
        ImageOps.exif_transpose(Image.open(BytesIO(content)))
    assert decoded(content).size == (480, 320)


def test_orientation_in_xmp_alone_counts() -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    lying = scene().transpose(ORIENTATIONS[6])
    assert decoded(encode(lying, "JPEG", xmp=xmp)).size == (480, 320)


@pytest.mark.parametrize(
    ("top", "white"), [(0, 255), (255, 255), (256, 1023), (4095, 4095), (9000, 16383), (40_000, 65535)]
)
def test_white_is_that_of_the_fewest_bits_that_hold_all(top: int, white: int) -> None:
    assert white_of(top) == white


def test_greatest_value_that_a_tiff_names_is_white() -> None:
    dark = Image.fromarray(np.full((40, 40), 500, np.uint16))
    assert decoded(encode(dark, "TIFF", tiffinfo={281: 4095})).getpixel((0, 0)) == (31, 31, 31)
    assert decoded(encode(dark, "TIFF")).getpixel((0, 0)) == (125, 125, 125)


def test_floats_below_zero_go_from_black_to_white() -> None:
    values = np.array([[-1.0, 0.0, 1.0, np.nan]], np.float32).repeat(4, axis=0)
    row = [decoded(encode(Image.fromarray(values), "TIFF")).getpixel((x, 0))[0] for x in range(4)]
    assert row == [0, 128, 255, 128]


def test_picture_bears_nothing_of_its_file() -> None:
    profile = profiles.rgb_profile(profiles.P3, 2.2)
    for content in (encode(scene(), "JPEG", comment=b"secret", icc_profile=profile), encode(scene(), "PNG")):
        assert decoded(content).info == {}


def test_profile_of_srgb_under_another_name_changes_nothing() -> None:
    grey = Image.effect_noise((64, 64), 80).convert("RGB")
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(np.asarray(decoded(encode(grey, icc_profile=srgb))), np.asarray(grey))


def test_jpeg_2000_without_levels_is_decoded_whole() -> None:
    smooth = Image.linear_gradient("L").convert("RGB")
    content = encode(smooth.resize((600, 600)), "JPEG2000", num_resolutions=1)
    assert decoded(content, draft_side=256).size == (600, 600)
    assert decoded(encode(smooth.resize((1056, 1056)), "JPEG2000"), draft_side=256).size == (264, 264)


@pytest.mark.slow
def test_jpeg_2000_of_many_pixels_is_halved_however_thin_it_is() -> None:
    thin = Image.linear_gradient("L").resize((20_000, 1000))
    assert decoded(encode(thin, "JPEG2000", quality_mode="rates", quality_layers=[40])).size == (10_000, 500)
    whole = encode(thin, "JPEG2000", quality_mode="rates", quality_layers=[40], num_resolutions=1)
    assert refusal(whole).startswith("picture_too_large: expected at most 18000000 pixels")


def test_live_photo_is_a_picture_and_its_video() -> None:
    names = ["IMG_1.HEIC", "IMG_1.MOV", "IMG_2.MOV", "img_3.jpg", "IMG_3.mov", "a.png", "a.mov", "b.heic"]
    assert live_photo_names(names) == {"IMG_1.MOV", "IMG_3.mov"}


def test_form_that_nobody_can_read_of_the_cases_is_read() -> None:
    case = SHARED / "cases" / "page_300dpi_g4.tif"
    if not case.exists():
        pytest.skip(f"{case} is not here")
    assert decoded(case.read_bytes()).size == (2480, 3508)


def test_half_a_raw_file_is_unreadable() -> None:
    preview, thumbnail = encode(scene((1200, 800)), "JPEG"), encode(scene((160, 120)), "JPEG")
    for build in MAKERS.values():
        whole = build(preview, thumbnail, 1)
        assert refusal(whole[: len(whole) // 2]).startswith("picture_unreadable")


def test_box_sizes_that_lie_end_the_walk() -> None:
    for size in (0, 1, 7, 2**31):
        content = b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + struct.pack(">I4s", size, b"moov") + bytes(40)
        assert "without a JPEG preview" in refusal(content)
