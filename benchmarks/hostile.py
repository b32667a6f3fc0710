"""Files that mean harm: what each is, and whether it may pass as a picture at all."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, PngImagePlugin

from benchmarks.hostile_formats import hostile_formats

PNG = b"\x89PNG\r\n\x1a\n"
SCRIPT = b"<script>alert(1)</script><?php system('id'); ?>"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file; one that `may_pass` is a picture beside the harm, which must then come to nothing."""

    name: str
    content: bytes
    may_pass: bool = False


def hostile_files() -> Iterator[Hostile]:
    """Yield every file."""
    yield from _none_at_all()
    yield from _bombs()
    yield from _lying_headers()
    yield from _jpegs()
    yield from _tiffs()
    yield from _many_frames()
    yield from _polyglots()
    for name, content, may_pass in hostile_formats():
        yield Hostile(name, content, may_pass)


def encoded(picture: Image.Image, format_: str, **options: object) -> bytes:
    """Return a picture as a file."""
    out = BytesIO()
    picture.save(out, format_, **options)
    return out.getvalue()


def _small() -> Image.Image:
    return Image.effect_noise((48, 48), 90).convert("RGB")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(
    width: int, height: int, *chunks: bytes, bits: int = 8, color: int = 2, interlaced: int = 0
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced)
    return PNG + _chunk(b"IHDR", header) + b"".join(chunks) + _chunk(b"IEND", b"")


def _zeros(size: int) -> bytes:
    """Return zeros as zlib packs them: a block that needs none before it is packed once and repeated."""
    packer = zlib.compressobj(9)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    rest = packer.compress(bytes(size & 0xFFFFF)) + packer.flush()
    checksum = (size % 65521) << 16 | 1  # Adler-32 of zeros
    return head + block * (size >> 20) + rest + struct.pack(">I", checksum)


def _none_at_all() -> Iterator[Hostile]:
    magics = {
        "jpeg": b"\xff\xd8\xff", "png": PNG, "gif": b"GIF89a", "webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        "bmp": b"BM", "tiff": b"II*\x00", "bigtiff": b"II+\x00\x08\x00\x00\x00",
    }  # fmt: skip
    for name, magic in magics.items():
        yield Hostile(f"only the magic of {name}", magic)
        yield Hostile(f"{name} and zeros", magic + bytes(4096))
        yield Hostile(f"{name} and ones", magic + b"\xff" * 4096)
    yield Hostile("one byte", b"\x00")
    yield Hostile("text", b"not a picture\n" * 100)
    yield Hostile("svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')
    yield Hostile("html", b"<html>" + SCRIPT)
    yield Hostile("pdf", b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF")
    yield Hostile(
        "eps that runs PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run"
    )
    yield Hostile("heic", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200))
    yield Hostile("avif", b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf" + bytes(200))
    yield Hostile("zip", b"PK\x03\x04" + bytes(100))
    yield Hostile("pickle", b"cos\nsystem\n(S'id'\ntR.")
    for format_ in ("PPM", "ICO", "PCX", "TGA", "SGI", "DDS", "IM", "MSP", "XBM", "SPIDER"):
        mode = {"MSP": "1", "XBM": "1", "SPIDER": "F"}.get(format_, "RGB")
        try:
            yield Hostile(f"{format_}, which is not allowed", encoded(_small().convert(mode), format_))
        except (OSError, KeyError, ValueError):  # this Pillow cannot write it
            continue


def _bombs() -> Iterator[Hostile]:
    rows = _zeros(20_000 * 2_501)
    yield Hostile("png of 400 million pixels", _png(20_000, 20_000, _chunk(b"IDAT", rows), bits=1, color=0))
    yield Hostile("png, 5000 x 4000 in 3 kB", encoded(Image.new("1", (5000, 4000)), "PNG"))
    yield Hostile("gif, 6000 x 6000 blank", encoded(Image.new("P", (6000, 6000)), "GIF"), may_pass=True)
    yield Hostile("webp, 7000 x 7000 blank", encoded(Image.new("RGB", (7000, 7000)), "WEBP", lossless=True))
    yield Hostile(
        "tiff, 7000 x 7000 blank", encoded(Image.new("1", (7000, 7000)), "TIFF", compression="group4")
    )
    pixel = _chunk(b"IDAT", zlib.compress(bytes(4)))
    bomb = _zeros(200 << 20)
    yield Hostile(
        "png, 200 MB in zTXt", _png(1, 1, _chunk(b"zTXt", b"Comment\0\0" + bomb), pixel), may_pass=True
    )
    yield Hostile(
        "png, 200 MB in iTXt", _png(1, 1, _chunk(b"iTXt", b"a\0\1\0\0\0" + bomb), pixel), may_pass=True
    )
    yield Hostile("png, 200 MB in iCCP", _png(1, 1, _chunk(b"iCCP", b"icc\0\0" + bomb), pixel), may_pass=True)
    yield Hostile("png, 200 MB behind one pixel", _png(1, 1, _chunk(b"IDAT", bomb)), may_pass=True)
    many = _chunk(b"tEXt", b"k\0v") * 200_000
    yield Hostile("png, 200,000 texts", _png(1, 1, many, pixel), may_pass=True)


def _lying_headers() -> Iterator[Hostile]:
    data = _chunk(b"IDAT", zlib.compress(bytes(100)))
    for width, height in (
        (30_000, 30_000),
        (1, 2**31 - 1),
        (2**31 - 1, 1),
        (0, 0),
        (2**32 - 1, 2**32 - 1),
        (7000, 7000),
    ):
        yield Hostile(f"png says {width} x {height}", _png(width, height, data))
        yield Hostile(f"interlaced png says {width} x {height}", _png(width, height, data, interlaced=1))
    yield Hostile(
        "gif says 65535 x 65535", b"GIF89a" + b"\xff\xff\xff\xff\x80\0\0" + bytes(6) + b"\x2c" + bytes(20)
    )
    whole = encoded(_small(), "JPEG")
    at = whole.index(b"\xff\xc0")
    yield Hostile(
        "jpeg says 65500 x 65500", whole[: at + 5] + struct.pack(">HH", 65500, 65500) + whole[at + 9 :]
    )
    yield Hostile("jpeg says 0 x 0", whole[: at + 5] + bytes(4) + whole[at + 9 :])
    bmp = encoded(_small(), "BMP")
    for width, height in ((2**31 - 1, 2**31 - 1), (-1, -1), (0, 5), (6000, 6000)):
        yield Hostile(f"bmp says {width} x {height}", bmp[:18] + struct.pack("<ii", width, height) + bmp[26:])
    yield Hostile(
        "bmp with 2 billion colours", bmp[:46] + struct.pack("<I", 2**31 - 1) + bmp[50:], may_pass=True
    )
    webp = encoded(_small(), "WEBP")
    yield Hostile("webp says it is 4 GB", webp[:4] + b"\xff\xff\xff\xff" + webp[8:])


def _jpegs() -> Iterator[Hostile]:
    progressive = encoded(Image.new("RGB", (1000, 1000), "white"), "JPEG", progressive=True)
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    yield Hostile("jpeg of 20,000 scans", progressive[:-2] + scan * 20_000 + progressive[-2:])
    plain = encoded(_small(), "JPEG")
    yield Hostile(
        "jpeg whose EXIF is garbage",
        plain[:2] + _segment(b"Exif\0\0" + b"\xff" * 500) + plain[2:],
        may_pass=True,
    )
    loop = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    yield Hostile(
        "jpeg whose EXIF goes round", plain[:2] + _segment(b"Exif\0\0" + loop) + plain[2:], may_pass=True
    )
    huge = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x0112, 3, 2**31, 8) + bytes(4)
    yield Hostile(
        "jpeg whose orientation has 2 billion values",
        plain[:2] + _segment(b"Exif\0\0" + huge) + plain[2:],
        may_pass=True,
    )
    comments = _segment(b"x" * 60_000, marker=0xFE) * 200
    yield Hostile("jpeg with 12 MB of comments", plain[:2] + comments + plain[2:], may_pass=True)
    behind = plain + scan * 20_000 + progressive[-2:]
    yield Hostile("jpeg with 20,000 scans behind its end", behind, may_pass=True)
    hidden = plain[:2] + _segment(b"\xff\xd9" * 100) + progressive[2:-2] + scan * 20_000 + progressive[-2:]
    yield Hostile("jpeg of 20,000 scans behind an end that is none", hidden)
    yield Hostile("jpeg without an end", plain[:-2] + b"\xff" * 1_000_000, may_pass=True)


def _segment(body: bytes, marker: int = 0xE1) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def _tiffs() -> Iterator[Hostile]:
    yield Hostile("tiff whose directory leads to itself", _tiff([], after=8))
    size = [(256, 4, 1, 48), (257, 4, 1, 48), (258, 3, 1, 8), (262, 3, 1, 1)]
    strips = [(273, 4, 1, 8), (278, 4, 1, 48), (279, 4, 1, 2**32 - 1)]
    yield Hostile("tiff whose strip has 4 GB", _tiff([*size, (259, 3, 1, 1), *strips]))
    yield Hostile("tiff whose packed strip has 4 GB", _tiff([*size, (259, 3, 1, 5), *strips]))
    yield Hostile(
        "tiff of 2 billion strips", _tiff([*size, (273, 4, 2**31, 8), (278, 4, 1, 1), (279, 4, 2**31, 8)])
    )
    tiles = [(322, 4, 1, 2**30), (323, 4, 1, 2**30), (324, 4, 1, 8), (325, 4, 1, 100)]
    yield Hostile("tiff of one tile of 2**60 pixels", _tiff([*size, (259, 3, 1, 1), *tiles]))
    yield Hostile("tiff of 65535 samples a pixel", _tiff([*size, (277, 3, 1, 65535), *strips]))
    whole = encoded(_small(), "TIFF", compression="jpeg")
    yield Hostile("tiff of jpeg, cut in half", whole[: len(whole) // 2])


def _tiff(entries: list[tuple[int, int, int, int]], after: int = 0) -> bytes:
    directory = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + directory + struct.pack("<I", after)


def _many_frames() -> Iterator[Hostile]:
    frames = [Image.new("P", (64, 64), n % 256) for n in range(2000)]
    yield Hostile(
        "gif of 2000 frames",
        encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        may_pass=True,
    )
    few = frames[:300]
    for format_ in ("PNG", "WEBP", "TIFF"):
        content = encoded(
            few[0].convert("RGB"), format_, save_all=True, append_images=[f.convert("RGB") for f in few[1:]]
        )
        yield Hostile(f"{format_} of 300 frames", content, may_pass=True)
    empty = b"\x21\xf9\x04" + bytes(4) + b"\x00"
    gif = encoded(_small().convert("P"), "GIF")
    yield Hostile("gif with a million empty extensions", gif[:-1] + empty * 1_000_000 + b";", may_pass=True)


def _polyglots() -> Iterator[Hostile]:
    for format_ in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000"):
        content = encoded(_small(), format_)
        yield Hostile(f"{format_} and a page", content + SCRIPT, may_pass=True)
        yield Hostile(
            f"{format_} and a zip",
            content + b"PK\x03\x04" + bytes(64) + b"PK\x05\x06" + bytes(18),
            may_pass=True,
        )
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SCRIPT.decode())
    yield Hostile("png with a page in its text", encoded(_small(), "PNG", pnginfo=info), may_pass=True)
    yield Hostile("jpeg with a page in its comment", encoded(_small(), "JPEG", comment=SCRIPT), may_pass=True)
    yield Hostile("gif that is a script", b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)//")
