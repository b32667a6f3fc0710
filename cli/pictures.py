"""Picture files: found in folders, and grouped into requests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.left_out import LIVE, LeftOut, what_is
from core.errors import ExemplarError
from core.picture_formats import is_picture, live_photo_names
from formats.archives import is_left_out

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


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that is left out, and what it is."""

    what: str


def walk(folder: str, seen: set[tuple[int, int]]) -> Iterator[str | Unread | Skipped]:
    """Yield the picture files below a folder in the order of their names, and what is left out between.

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
    live = live_photo_names(names)
    for name in names:
        path = os.path.join(folder, name)
        is_folder = os.path.isdir(path)
        if is_left_out(name):
            yield Skipped(what_is(name, is_folder=is_folder))
        elif is_folder:
            yield from walk(path, seen)
        elif is_picture(name):
            yield path
        else:
            yield Skipped(LIVE if name in live else what_is(name))


def find_pictures(root: Path, left_out: LeftOut | None = None) -> list[Picture]:
    """Return the pictures of a file, a folder, or a folder of folders; a picture's folder is its class.

    What is no picture is counted in `left_out`.
    """
    left_out = LeftOut() if left_out is None else left_out
    if root.is_file():
        return [_picture(root)]
    if not root.is_dir():
        raise ExemplarError("path_missing", f"expected a file or folder, got {root}")
    pictures = []
    for found in walk(str(root), set()):
        if isinstance(found, Unread):
            raise ExemplarError("path_unreadable", f"{found.folder}: {found.error.strerror}")
        if isinstance(found, Skipped):
            left_out.add(found.what)
        elif os.path.isfile(found):
            pictures.append(_picture(Path(found)))
        else:  # a link to nowhere, or a pipe
            left_out.add("broken link")
    return sorted(pictures, key=lambda picture: picture.path)


def none_found(where: str, left_out: LeftOut) -> ExemplarError:
    """Return the error of a place without pictures, with what there is instead."""
    instead = f"; {left_out}" if left_out else ""
    return ExemplarError("picture_missing", f"expected pictures {where}, found none{instead}")


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
