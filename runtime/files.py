"""Atomic and durable writes of files."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write_durably(path: str, content: bytes) -> None:
    """Write a file into an existing folder; it is on disk once this returns.

    Raises OSError, and leaves no temporary file then.
    """
    write_parts_durably(path, (content,))


def write_parts_durably(path: str, parts: Iterable[bytes]) -> None:
    """Write a file from parts, none of which is kept in memory; otherwise like `write_durably`.

    Also raises what `parts` raises.
    """
    draft = f"{path}.{secrets.token_hex(4)}.part"
    try:
        with open(draft, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise
    _sync_folder(os.path.dirname(path))


def make_folder(path: str) -> None:
    """Make a folder and its parents, each on disk once this returns. Raises OSError."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_folder(parent)
    os.makedirs(path, exist_ok=True)
    _sync_folder(parent)


def disk_room(folder: Path) -> tuple[int, int]:
    """Return the free and the total bytes of the disk where a folder is or would be made."""
    there = next(one for one in (folder.resolve(), *folder.resolve().parents) if one.exists())
    usage = shutil.disk_usage(there)
    return usage.free, usage.total


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
