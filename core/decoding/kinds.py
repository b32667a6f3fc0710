"""What a file is, seen by how it begins: a format that is read, or the name of one that is not."""

from __future__ import annotations

from dataclasses import dataclass

from core.decoding import boxes
from core.decoding.raw import is_raw
from core.decoding.tiff import order_of
from core.picture_formats import BY_NAME, Format

_READ = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
)
_NAMED = (
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"\0\0\x01\0", "an icon"),
    (b"icns", "an icon"),
    (b"gimp xcf", "a GIMP document"),
    (b"FOVb", "camera raw of a kind that is not read (X3F)"),
    (b"\0MRM", "camera raw of a kind that is not read (MRW)"),
    (b"HEAPCCDR", "camera raw of a kind that is not read (CRW)"),
    (b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"),
    (b"\0\0\x01\xba", "a video (MPEG)"),
    (b"\0\0\x01\xb3", "a video (MPEG)"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video (WMV)"),
    (b"FLV\x01", "a video (FLV)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
)
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF = {b"avif", b"avis"}
_MARKUP = ((b"<svg", "SVG"), (b"<!doctype html", "a web page"), (b"<html", "a web page"))
MARKUP_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is: the format that reads it, or only what people call it."""

    title: str
    format: Format | None = None


def kind_of(content: bytes) -> Kind:
    """Return what a file is by its content; a name says nothing."""
    for magic, name in _READ:
        if content.startswith(magic):
            return _read(name)
    if content[:4] == b"RIFF":
        return _of_riff(content[8:12])
    if content[4:8] == b"ftyp":
        return _of_boxes(boxes.brands(content))
    if order_of(content) is not None:
        return _read("raw" if is_raw(content) else "tiff")
    if content.startswith(b"FUJIFILMCCD-RAW"):
        return _read("raw")
    named = next((title for magic, title in _NAMED if content.startswith(magic)), None)
    if named is not None:
        return Kind(named)
    if content[4:8] in (b"moov", b"mdat", b"wide"):
        return Kind("a video (QuickTime)")
    begin = content[:MARKUP_BYTES].lower()
    return Kind(
        next((title for mark, title in _MARKUP if mark in begin), f"{len(content)} bytes of something else")
    )


def _read(name: str) -> Kind:
    format_ = BY_NAME[name]
    return Kind(format_.title, format_)


def _of_riff(form: bytes) -> Kind:
    if form == b"WEBP":
        return _read("webp")
    return Kind("a video (AVI)" if form == b"AVI " else "a RIFF file that is no picture")


def _of_boxes(brands: tuple[bytes, ...]) -> Kind:
    major = brands[0]
    if major == b"crx ":
        return _read("raw")
    if major in _AVIF or (major in (b"mif1", b"msf1", b"miaf") and _AVIF & set(brands)):
        return _read("avif")
    if major in _HEIF or major in (b"mif1", b"msf1"):
        return _read("heif")
    if major == b"qt  ":
        return Kind("a video (QuickTime)")
    return Kind("a video (MP4)")
