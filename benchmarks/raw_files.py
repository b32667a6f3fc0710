"""Camera raw files built to the published structures: a preview, a thumbnail, and bytes for the sensor."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from core.decoding.jpeg import with_orientation

Field = tuple[int, int, Sequence[int] | bytes]
"""Tag, type (1 byte, 2 text, 3 short, 4 long, 7 undefined) and values."""
BYTE, TEXT, SHORT, LONG, UNDEFINED = 1, 2, 3, 4, 7
SENSOR = bytes(range(256)) * 40


class _Tiff:
    """A TIFF structure that is put together back to front, its offsets filled in as they become known."""

    def __init__(self, order: str = "<", head: bytes = b"II*\0", extra: bytes = b"") -> None:
        self.order = order
        self.content = bytearray(head + bytes(4) + extra)

    def blob(self, content: bytes) -> int:
        at = len(self.content)
        self.content += content + bytes(len(content) % 2)
        return at

    def directory(self, fields: Sequence[Field], after: int = 0) -> int:
        rows = b""
        for tag, type_, values in sorted(fields):
            body = values if isinstance(values, bytes) else self._packed(type_, values)
            count = len(values)
            place = body.ljust(4, b"\0") if len(body) <= 4 else struct.pack(f"{self.order}I", self.blob(body))
            rows += struct.pack(f"{self.order}HHI", tag, type_, count) + place
        return self.blob(
            struct.pack(f"{self.order}H", len(fields)) + rows + struct.pack(f"{self.order}I", after)
        )

    def finish(self, first: int) -> bytes:
        struct.pack_into(f"{self.order}I", self.content, 4, first)
        return bytes(self.content)

    def _packed(self, type_: int, values: Sequence[int]) -> bytes:
        return struct.pack(f"{self.order}{len(values)}{'H' if type_ == SHORT else 'I'}", *values)

    def sensor(self) -> int:
        at = self.blob(SENSOR)
        fields: list[Field] = [
            (256, LONG, [6000]),
            (257, LONG, [4000]),
            (259, SHORT, [1]),
            (262, SHORT, [32803]),
        ]
        return self.directory([*fields, (273, LONG, [at]), (279, LONG, [len(SENSOR)])])

    def strip(self, picture: bytes, compression: int) -> list[Field]:
        at = self.blob(picture)
        return [(259, SHORT, [compression]), (273, LONG, [at]), (279, LONG, [len(picture)])]

    def interchange(self, picture: bytes) -> list[Field]:
        return [(513, LONG, [self.blob(picture)]), (514, LONG, [len(picture)])]


def cr2(preview: bytes, thumbnail: bytes, orientation: int) -> bytes:
    """Canon: the preview is the strip of the first directory, the thumbnail that of the second."""
    tiff = _Tiff(extra=b"CR\2\0" + bytes(4))
    second = tiff.directory(tiff.interchange(thumbnail), tiff.sensor())
    return tiff.finish(tiff.directory([*tiff.strip(preview, 6), (274, SHORT, [orientation])], second))


def nef(preview: bytes, thumbnail: bytes, orientation: int) -> bytes:
    """Nikon: a thumbnail first, the preview in an inner directory; most significant byte first."""
    tiff = _Tiff(">", b"MM\0*")
    inner = [tiff.directory(tiff.interchange(preview)), tiff.sensor()]
    first = [*tiff.strip(thumbnail, 1), (254, LONG, [1]), (274, SHORT, [orientation]), (330, LONG, inner)]
    return tiff.finish(tiff.directory(first))


def arw(preview: bytes, thumbnail: bytes, orientation: int) -> bytes:
    """Sony: the preview in the first directory, the thumbnail in the second."""
    tiff = _Tiff()
    second = tiff.directory(tiff.interchange(thumbnail))
    first = [*tiff.interchange(preview), (274, SHORT, [orientation]), (330, LONG, [tiff.sensor()])]
    return tiff.finish(tiff.directory(first, second))


def dng(preview: bytes, thumbnail: bytes, orientation: int) -> bytes:
    """Adobe and phones: inner directories hold the sensor's data and previews."""
    tiff = _Tiff()
    inner = [tiff.sensor(), tiff.directory([(254, LONG, [1]), *tiff.strip(preview, 7)])]
    version: Field = (0xC612, BYTE, b"\1\4\0\0")
    first = [
        (254, LONG, [1]),
        *tiff.strip(thumbnail, 7),
        (274, SHORT, [orientation]),
        (330, LONG, inner),
        version,
    ]
    return tiff.finish(tiff.directory(first))


def pef(preview: bytes, thumbnail: bytes, orientation: int) -> bytes:
    """Pentax: a chain of directories, the sensor's first."""
    tiff = _Tiff(">", b"MM\0*")
    third = tiff.directory(tiff.interchange(preview))
    second = tiff.directory(tiff.interchange(thumbnail), third)
    first: list[Field] = [(259, SHORT, [65535]), (262, SHORT, [32803]), (274, SHORT, [orientation])]
    return tiff.finish(tiff.directory(first, second))


def rw2(preview: bytes, thumbnail: bytes, orientation: int) -> bytes:
    """Panasonic: a magic number of its own, and the preview as a field."""
    tiff = _Tiff(head=b"IIU\0")
    return tiff.finish(tiff.directory([(0x2E, UNDEFINED, preview), (274, SHORT, [orientation])]))


def orf(preview: bytes, thumbnail: bytes, orientation: int) -> bytes:
    """Olympus: the preview is told of in the maker's notes, whose offsets count from their own beginning."""
    del thumbnail
    head = b"OLYMPUS\0II\3\0"
    # notes of one field at 12, its directory of two fields at 30, the preview behind them
    camera_at, preview_at = 12 + 18, 12 + 18 + 30
    notes = struct.pack("<HHHIII", 1, 0x2020, 13, 1, camera_at, 0)
    camera = struct.pack("<HHHIIHHIII", 2, 0x0101, 4, 1, preview_at, 0x0102, 4, 1, len(preview), 0)
    tiff = _Tiff(head=b"IIRO")
    exif = tiff.directory([(0x927C, UNDEFINED, head + notes + camera + preview)])
    return tiff.finish(tiff.directory([(274, SHORT, [orientation]), (0x8769, LONG, [exif])]))


def raf(preview: bytes, thumbnail: bytes, orientation: int) -> bytes:
    """Fujifilm: a header that says where the JPEG is, which has its own EXIF."""
    del thumbnail
    picture = with_orientation(preview, orientation)
    return (
        b"FUJIFILMCCD-RAW 0201FF000001".ljust(84, b"\0")
        + struct.pack(">II", 160, len(picture))
        + bytes(68)
        + (picture + SENSOR)
    )


def cr3(preview: bytes, thumbnail: bytes, orientation: int) -> bytes:
    """Canon's newer one: boxes as in a video; the first track is one full JPEG, the orientation in CMT1."""
    tiff = _Tiff()
    exif = tiff.finish(tiff.directory([(274, SHORT, [orientation])]))
    small = struct.pack(">IHHHHI", 0, 1, 160, 120, 1, len(thumbnail)) + thumbnail
    canon = _box(
        b"uuid",
        bytes.fromhex("85c0b687820f11e08111f4ce462b6a48") + _box(b"CMT1", exif) + _box(b"THMB", small),
    )
    kind = _box(b"ftyp", b"crx \0\0\0\1crx isom")

    def movie(at: int) -> bytes:
        tables = _box(b"stsz", struct.pack(">III", 0, len(preview), 1)) + _box(
            b"co64", struct.pack(">IIQ", 0, 1, at)
        )
        track = _box(b"trak", _box(b"mdia", _box(b"minf", _box(b"stbl", tables))))
        return _box(b"moov", canon + track)

    at = len(kind) + len(movie(0)) + 8
    return kind + movie(at) + _box(b"mdat", preview + SENSOR)


def _box(type_: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + type_ + body


MAKERS: dict[str, Callable[[bytes, bytes, int], bytes]] = {
    "CR2": cr2,
    "NEF": nef,
    "ARW": arw,
    "DNG": dng,
    "PEF": pef,
    "RW2": rw2,
    "ORF": orf,
    "RAF": raf,
    "CR3": cr3,
}
"""What builds a file of each kind out of preview, thumbnail and orientation."""
