"""The server's own folders that callers may name files of: nothing outside them is ever opened."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import ExemplarError
from core.picture_formats import is_video, live_photo_names, video_error
from core.sizes import size_text
from formats.archives import is_left_out


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a folder: its path there and on the server, or the error that stands in its place."""

    path: str
    file: str
    size: int = 0
    error: ExemplarError | None = None


def resolve(place: str, roots: Sequence[str]) -> str:
    """Return the true path of a file or folder, with every link followed.

    A relative path begins at whichever root has it. Raises `path_not_allowed` for what is not there or leaves
    the roots: callers shall not learn what else there is.
    """
    if not roots:
        raise ExemplarError("path_not_allowed", "files of the server are off; see EXEMPLAR_ROOTS")
    for root in map(os.path.realpath, roots):
        path = _real(os.path.join(root, place))
        if path is not None and _is_within(path, root):
            return path
    raise ExemplarError(
        "path_not_allowed", f"expected a path that is there under the allowed folders, got {place[:200]!r}"
    )


def read_file(place: str, roots: Sequence[str], *, max_bytes: int) -> bytes:
    """Return the bytes of a file under the roots.

    Raises `path_not_allowed`, `picture_too_many_bytes`, or `picture_unreadable` where the system refuses.
    """
    path = resolve(place, roots)
    try:
        # neither a link that was put there since, nor a pipe that nobody writes to
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode) or not _is_still_within(handle, roots):
                raise ExemplarError("path_not_allowed", f"expected a file, got {place[:200]!r}")
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise ExemplarError(
            "picture_unreadable", f"the file could not be read: {error.strerror or error}"
        ) from error
    if len(content) > max_bytes:
        raise ExemplarError("picture_too_many_bytes", f"expected a picture of at most {size_text(max_bytes)}")
    return content


def walk(folder: str, roots: Sequence[str]) -> Iterator[Found]:
    """Yield the files below a folder in the order of their names; hidden ones are left out.

    Links are followed as long as they stay under the roots and lead in no circle; what does not carries
    `path_not_allowed`. Raises the same where the folder itself does not.
    """
    top = resolve(folder, roots)
    if not os.path.isdir(top):
        raise ExemplarError("path_not_allowed", f"expected a folder, got {folder[:200]!r}")
    yield from _walk(top, "", (top,), roots)


def _walk(folder: str, below: str, above: tuple[str, ...], roots: Sequence[str]) -> Iterator[Found]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        yield Found(below, folder, error=ExemplarError("path_not_allowed", f"the folder: {error.strerror}"))
        return
    live = live_photo_names(names)
    for name in names:
        if is_left_out(name) or name in live:
            continue
        path = f"{below}/{name}" if below else name
        try:
            true = resolve(os.path.join(folder, name), roots)
            size = os.path.getsize(true)
        except ExemplarError as error:
            yield Found(path, os.path.join(folder, name), error=error)
            continue
        except OSError:  # it went while we walked
            continue
        if not os.path.isdir(true):
            yield Found(path, true, size, video_error(name) if is_video(name) else None)
        elif true not in above:
            yield from _walk(true, path, (*above, true), roots)


def _real(path: str) -> str | None:
    try:
        return os.path.realpath(path, strict=True)
    except (OSError, ValueError):  # not there, a circle of links, or a NUL in it
        return None


def _is_within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _is_still_within(handle: int, roots: Sequence[str]) -> bool:
    if sys.platform != "linux":
        return True
    path = os.readlink(f"/proc/self/fd/{handle}")
    return any(_is_within(path, os.path.realpath(root)) for root in roots)
