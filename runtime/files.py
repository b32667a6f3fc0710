"""Atomic and durable writes of files."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write(path: str, content: bytes, *, durable: bool = True) -> None:
    """Write a file into an existing folder; a durable one is on disk once this returns.

    Raises OSError, and leaves no temporary file then.
    """
    with replacing(path, durable=durable) as draft, open(draft, "wb") as file:
        file.write(content)


def write_parts_durably(path: str, parts: Iterable[bytes]) -> None:
    """Write a file from parts, none of which is kept in memory; it is on disk once this returns.

    Raises OSError, and what `parts` raises, and leaves no temporary file then.
    """
    with replacing(path) as draft, open(draft, "wb") as file:
        for part in parts:
            file.write(part)


@contextmanager
def replacing(path: str | Path, *, durable: bool = True) -> Iterator[str]:
    """Give the name of a draft to write; it becomes the file where the block ends, and goes where it fails.

    A durable file is on disk once this returns. Raises OSError, and what the block raises.
    """
    folder = os.path.dirname(path) or "."
    draft = os.path.join(folder, f".{secrets.token_hex(8)}.part")  # as short a name as any file system takes
    try:
        yield draft
        if durable:
            _sync(draft)
        os.replace(draft, path)
    finally:
        with suppress(OSError):  # it is no longer there, unless it is a link to the same file
            os.unlink(draft)
    if durable:
        _sync(folder)


def make_folder(path: str, *, durable: bool = True) -> None:
    """Make a folder and its parents; durable ones are on disk once this returns. Raises OSError."""
    if os.path.isdir(path):
        return
    if not durable:
        os.makedirs(path, exist_ok=True)
        return
    parent = os.path.dirname(path)
    make_folder(parent)
    os.makedirs(path, exist_ok=True)
    _sync(parent)


def sync_all(path: str, *, up_to: str) -> None:
    """Put a file and the folders that lead to it on disk, from the folder `up_to` on. Raises OSError."""
    _sync(path)
    while path != up_to and path != os.path.dirname(path):
        path = os.path.dirname(path)
        _sync(path)


def disk_room(folder: Path) -> tuple[int, int]:
    """Return the free and the total bytes of the disk where a folder is or would be made."""
    there = next(one for one in (folder.resolve(), *folder.resolve().parents) if one.exists())
    usage = shutil.disk_usage(there)
    return usage.free, usage.total


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
