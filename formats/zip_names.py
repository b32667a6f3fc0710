"""The name of a zip's member in its Unicode path field (APPNOTE 4.6.9), which older zip programs write."""

from __future__ import annotations

import struct
import zipfile
import zlib

_FIELD = 0x7075
_HEAD = struct.Struct("<HH")
_BODY = struct.Struct("<BL")  # version, and the CRC-32 of the name that the field stands for


def unicode_name(info: zipfile.ZipInfo) -> str | None:
    """Return the name in the field; None without a valid one for this name."""
    extra, at = info.extra, 0
    while at + _HEAD.size <= len(extra):
        kind, size = _HEAD.unpack_from(extra, at)
        body = extra[at + _HEAD.size : at + _HEAD.size + size]
        at += _HEAD.size + size
        if kind == _FIELD and len(body) > _BODY.size:
            return _checked(info, body)
    return None


def _checked(info: zipfile.ZipInfo, body: bytes) -> str | None:
    version, checksum = _BODY.unpack_from(body)
    try:
        raw = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
        name = body[_BODY.size :].decode()
    except UnicodeError:
        return None
    # a program that renamed the member without knowing the field left it for another name
    return name if version == 1 and zlib.crc32(raw) == checksum and "\0" not in name else None
