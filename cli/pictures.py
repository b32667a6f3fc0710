"""Picture files: found in folders, and grouped into requests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import ExemplarError
from formats.archives import is_left_out

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
BATCH = 64
BATCH_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file, and the class that its folder names."""

    path: Path
    label: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A folder that could not be read."""

    folder: str
    error: OSError


def walk(folder: str, seen: set[tuple[int, int]]) -> Iterator[str | Unread]:
    """Yield the picture files below a folder in the order of their names; hidden ones are left out.

    Links are followed, for a class may well be one to where its photographs are, but no folder is read twice:
    `seen` holds device and inode of those that have been.
    """
    try:
        found = os.stat(folder)
        names = sorted(os.listdir(folder))
    except OSError as error:
        yield Unread(folder, error)
        return
    if (found.st_dev, found.st_ino) in seen:
        return
    seen.add((found.st_dev, found.st_ino))
    for name in names:
        path = os.path.join(folder, name)
        if is_left_out(name):
            continue
        if os.path.isdir(path):
            yield from walk(path, seen)
        elif os.path.splitext(name)[1].lower() in PICTURES:
            yield path


def find_pictures(root: Path) -> list[Picture]:
    """Return the pictures of a file, a folder, or a folder of folders; a picture's folder is its class."""
    if root.is_file():
        return [_picture(root)]
    if not root.is_dir():
        raise ExemplarError("path_missing", f"expected a file or folder, got {root}")
    pictures = []
    for found in walk(str(root), set()):
        if isinstance(found, Unread):
            raise ExemplarError("path_unreadable", f"{found.folder}: {found.error.strerror}")
        if os.path.isfile(found):  # neither a link to nowhere nor a pipe
            pictures.append(_picture(Path(found)))
    return sorted(pictures, key=lambda picture: picture.path)


def batches(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield picture files in groups that fit one request."""
    group: list[Path] = []
    size = 0
    for path in paths:
        bytes_ = path.stat().st_size
        if group and (len(group) == BATCH or size + bytes_ > BATCH_BYTES):
            yield group
            group, size = [], 0
        group.append(path)
        size += bytes_
    if group:
        yield group


def why_not(path: str | Path) -> ExemplarError | None:
    """Return why a file cannot be read, or None where it can."""
    try:
        with open(path, "rb"):
            return None
    except OSError as error:
        return ExemplarError("picture_unreadable", f"the file could not be read: {error.strerror}")


def _picture(path: Path) -> Picture:
    return Picture(path, path.absolute().parent.name)  # a folder given as `.` has a name too
