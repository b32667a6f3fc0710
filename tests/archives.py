"""Archives of every kind, valid and malicious, made in the test."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence

from core.errors import ExemplarError
from core.jobs import Source
from core.settings import Settings
from formats.entries import read_entries
from formats.entry import Entry

Files = Mapping[str, bytes] | Sequence[tuple[str | zipfile.ZipInfo, bytes]]


def pairs(files: Files) -> list[tuple[str | zipfile.ZipInfo, bytes]]:
    return list(files.items()) if isinstance(files, Mapping) else list(files)


def make_zip(files: Files, *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP file; the same files make the same bytes, whatever the time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in pairs(files):
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            archive.writestr(info, content, compression)
    return out.getvalue()


def make_tar(files: Files, *, mode: str = "w", more: Sequence[tarfile.TarInfo] = ()) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in pairs(files):
            info = tarfile.TarInfo(str(name))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in more:
            archive.addfile(info)
    return out.getvalue()


def tar_entry(name: str, type_: bytes, linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = type_
    info.linkname = linkname
    return info


def zip_link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def patched_directory(archive: bytes, offset: int, form: str, value: int) -> bytes:
    """Return a zip with one field of its first directory entry changed."""
    changed = bytearray(archive)
    struct.pack_into(form, changed, changed.index(b"PK\x01\x02") + offset, value)
    return bytes(changed)


def claiming(archive: bytes, entries: int, *, zip64: bool) -> bytes:
    """Return a zip whose end record claims so many entries, as zip64 if requested."""
    at = archive.rindex(b"PK\x05\x06")
    size = int.from_bytes(archive[at + 12 : at + 16], "little")
    start = at - size
    if not zip64:
        return archive[:at] + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, entries, entries, size, start, 0)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return archive[:at] + end64 + locator + end


def entries_of(
    archive: bytes | None = None,
    manifest: bytes | None = None,
    *,
    enrols: bool = False,
    settings: Settings | None = None,
    **source: object,
) -> list[tuple[Entry, bytes | str]]:
    """Read a source completely; return each entry with its bytes, or with the code of its error."""
    files = {"archive": archive, "manifest": manifest}
    asked = Source(
        archive="archive" if archive is not None else None,
        manifest="manifest" if manifest is not None else None,
        **source,  # type: ignore[arg-type]
    )
    found: list[tuple[Entry, bytes | str]] = []
    for entry in read_entries(
        asked, lambda name: io.BytesIO(files[name] or b""), settings or Settings(), enrols=enrols
    ):
        found.append((entry, outcome(entry)))
    return found


def outcome(entry: Entry) -> bytes | str:
    if entry.error is not None:
        return entry.error.code
    try:
        return entry.read() if entry.read is not None else entry.place or ""
    except ExemplarError as error:
        return error.code
