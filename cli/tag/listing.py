"""What `exemplar tag` is given, as one stream of pictures: folders, files, archives and manifests."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cli.left_out import LIVE, LeftOut, what_is
from cli.pictures import Skipped, Unread, walk
from cli.places import Place
from core.errors import ExemplarError
from core.picture_formats import is_picture, is_video, live_photo_names, video_error
from formats.manifests import Line, Row, read_csv, read_jsonl
from formats.names import spellings
from formats.remote_folders import list_objects
from formats.remote_names import prefix_of

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MANIFESTS = {".jsonl": False, ".ndjson": False, ".csv": True}
"""Suffixes of manifests, and whether it is CSV."""


class Kind(StrEnum):
    """Where a picture is: a file here, behind a URL, a file of the server's, or many in an archive here."""

    LOCAL = "local"
    URL = "url"
    SERVER = "server"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Listed:
    """One picture (or archive): where it is, how it is shown, and why it cannot be sent where it cannot."""

    place: str
    shown: str
    kind: Kind = Kind.LOCAL
    custom_id: str = ""
    size: int = 0
    mtime_ns: int = 0
    problem: ExemplarError | None = None


def list_paths(
    paths: Sequence[Place], *, without: Path | None = None, left_out: LeftOut | None = None
) -> Iterator[Listed]:
    """Yield what is to be tagged, in an order that stays the same; raises `manifest_invalid`.

    Of folders all below them with a picture's suffix, but neither hidden files nor the folder `without`; what
    is no picture is counted in `left_out`.
    """
    left_out = LeftOut() if left_out is None else left_out
    live = live_photo_names([str(path) for path in paths])
    seen: set[tuple[int, int]] = set()  # folders, so that no circle of links is walked
    if without is not None and without.is_dir():
        seen.add(_identity(without))
    for path in paths:
        if isinstance(path, str):
            yield from list_prefix(path, left_out)
        elif path.is_dir():
            yield from _of_folder(str(path), seen, left_out)
        elif str(path) in live:
            left_out.add(LIVE)
        elif path.name.lower().endswith(ARCHIVES):
            yield _listed(str(path), str(path), kind=Kind.ARCHIVE)
        elif path.suffix.lower() in MANIFESTS:
            yield from _of_manifest(path)
        else:
            yield _listed(str(path), str(path))


def list_prefix(url: str, left_out: LeftOut) -> Iterator[Listed]:
    """Yield the objects of a prefix that have a picture's suffix, as a folder's pictures are listed.

    The service reads them by their URL. Raises as `list_objects` does.
    """
    for found in list_objects(prefix_of(url)):
        if found is None:  # hidden, or it does not match
            continue
        if not is_picture(found.path):
            left_out.add(what_is(found.path.rpartition("/")[2]))
            continue
        # the tag says more than the time, which object storage counts in seconds
        tag = int.from_bytes(hashlib.sha256(found.tag.encode()).digest()[:7])
        yield Listed(found.url, printable(found.url), Kind.URL, size=found.size, mtime_ns=tag)


def printable(path: str) -> str:
    """Return a path as text that any output can hold; bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _of_folder(folder: str, seen: set[tuple[int, int]], left_out: LeftOut) -> Iterator[Listed]:
    for found in walk(folder, seen):
        if isinstance(found, Skipped):
            left_out.add(found.what)
        elif isinstance(found, Unread):
            problem = _unreadable("folder", found.error)
            yield Listed(os.path.abspath(found.folder), printable(found.folder), problem=problem)
        else:
            yield _listed(found, found)


def _listed(path: str, shown: str, *, kind: Kind = Kind.LOCAL, custom_id: str = "") -> Listed:
    place = os.path.abspath(path)
    try:
        found = os.stat(place)
    except (OSError, ValueError) as error:  # a NUL in a manifest's path is the latter
        return Listed(place, printable(shown), kind, custom_id, problem=_unreadable("file", error))
    if not stat.S_ISREG(found.st_mode):
        problem = ExemplarError("picture_unreadable", "expected a file, got something else")
        return Listed(place, printable(shown), kind, custom_id, problem=problem)
    video = video_error(path) if kind is Kind.LOCAL and is_video(path) else None
    return Listed(place, printable(shown), kind, custom_id, found.st_size, found.st_mtime_ns, video)


def _of_manifest(path: Path) -> Iterator[Listed]:
    read: Callable[..., Iterator[Line]] = read_csv if MANIFESTS[path.suffix.lower()] else read_jsonl
    try:
        file = path.open("rb")
    except OSError as error:
        raise ExemplarError("path_unreadable", f"{path}: {error.strerror}") from error
    with file:
        for number, line in enumerate(read(file), start=1):
            if isinstance(line, ExemplarError):
                yield Listed(f"{os.path.abspath(path)}:{number}", printable(str(path)), problem=line)
            else:
                yield _of_row(path, line)


def _of_row(manifest: Path, row: Row) -> Listed:
    custom_id = row.custom_id or ""
    if row.url is not None:
        return Listed(row.url, row.url, Kind.URL, custom_id)
    if row.file is not None:
        return Listed(row.file, row.file, Kind.SERVER, custom_id)
    path = row.path or ""
    return _listed(_find(os.path.dirname(manifest), path), path, custom_id=custom_id)


def _find(folder: str, path: str) -> str:
    """Return where a manifest's path is in a folder, as it is spelled if it is there in no spelling."""
    places = [os.path.join(folder, spelling) for spelling in spellings(path)]
    return next((place for place in places if "\0" not in place and os.path.exists(place)), places[0])


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _unreadable(what: str, error: OSError | ValueError) -> ExemplarError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return ExemplarError("picture_unreadable", f"the {what} could not be read: {reason}")
