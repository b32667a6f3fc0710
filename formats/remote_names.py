"""Prefixes of object storage that callers name, with or without wildcards, and whether they may."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import ExemplarError

REMOTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://[^\x00-\x20].*", re.DOTALL)
NOT_REMOTE = {"file", "local", "pack", "http", "https"}  # files of the server, and what is fetched by URL
MOST_WILDCARDS = 16
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Prefix:
    """The objects that a caller names: all whose URL begins with `start` and whose path matches.

    Paths are counted from `folder`, the URL up to the last slash before any wildcard.
    """

    folder: str
    start: str
    _pattern: tuple[re.Pattern[str] | None, ...] = ()
    """Of each part of a path; None is `**`, any number of parts. Empty matches every path."""

    @property
    def name(self) -> str:
        """The last part of the folder's name."""
        return self.folder.rstrip("/").rpartition("/")[2]

    def url_of(self, path: str) -> str:
        """Return the URL of an object by its path."""
        return self.folder + path

    def path_of(self, url: str) -> str:
        """Return the path of an object by its URL."""
        return url.removeprefix(self.folder)

    def matches(self, path: str) -> bool:
        """Return whether a path is one of these, in time linear in its length."""
        if not self._pattern:
            return True
        reached = self._past_any({0})
        for part in path.split("/"):
            reached = self._past_any({after for state in reached for after in self._after(state, part)})
        return len(self._pattern) in reached

    def _after(self, state: int, part: str) -> Sequence[int]:
        if state == len(self._pattern):
            return ()
        pattern = self._pattern[state]
        if pattern is None:
            return (state,)
        return (state + 1,) if pattern.match(part) else ()

    def _past_any(self, reached: set[int]) -> set[int]:
        """Add the states that are reached because `**` is also no part at all."""
        for state in sorted(reached):
            while state < len(self._pattern) and self._pattern[state] is None:
                state += 1  # noqa: PLW2901 - it runs over `**`s in a row
                reached.add(state)
        return reached


def is_remote(place: str) -> bool:
    """Return whether a place is a URL of object storage, not a path."""
    scheme = REMOTE.fullmatch(place)
    return scheme is not None and scheme[1].lower() not in NOT_REMOTE


def prefix_of(url: str) -> Prefix:
    """Return what a URL names: everything below it, or what its wildcards `*`, `?`, `[...]`, `**` match.

    Raises `url_not_allowed` for what is no URL of object storage.
    """
    if not is_remote(url):
        raise ExemplarError(
            "url_not_allowed",
            f"expected a prefix of object storage such as s3://bucket/2026/, got {url!r:.200}",
        )
    if ".." in url.split("/") or "::" in url:
        raise ExemplarError("url_not_allowed", f"expected a prefix without .. and ::, got {url!r:.200}")
    wild = _WILD.search(url)
    if wild is None:
        folder = url.rstrip("/") + "/"
        return Prefix(folder, folder)
    folder = url[: wild.start()].rpartition("/")[0] + "/"
    if folder.endswith("://"):
        raise ExemplarError("url_not_allowed", f"expected a bucket without wildcards, got {url!r:.200}")
    pattern = url[len(folder) :] + ("**" if url.endswith("/") else "")
    if len(_WILD.findall(pattern)) > MOST_WILDCARDS:
        raise ExemplarError("url_not_allowed", f"expected at most {MOST_WILDCARDS} wildcards, got more")
    parts = tuple(
        None if part == "**" else re.compile(fnmatch.translate(part)) for part in pattern.split("/")
    )
    return Prefix(folder, url[: wild.start()], parts)


def allowed_prefix(url: str, prefixes: Sequence[str]) -> Prefix:
    """Return what a URL names; raises `url_not_allowed` unless all of it is under one of these prefixes."""
    found = prefix_of(url)
    if not any(found.start.startswith(prefix) for prefix in prefixes):
        raise ExemplarError(
            "url_not_allowed", "expected a prefix under EXEMPLAR_REMOTE_PREFIXES; this one is not allowed"
        )
    return found


def without_suffix(path: str) -> str:
    """Return a path without its suffix: what a picture and the video of its Live Photo share."""
    return posixpath.splitext(path)[0]
