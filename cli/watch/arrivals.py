"""What arrives: files and objects that are not known yet, once they no longer grow."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.left_out import LeftOut
from cli.tag.journal import Journal
from cli.tag.listing import Kind, Listed, list_paths, list_prefix
from core.errors import ExemplarError
from formats.remote_names import is_remote, prefix_of

SLICE = 2048  # pictures that are tagged before more are listed


@dataclass(frozen=True, slots=True)
class _Growing:
    """A file as it was seen, and since when it has been so."""

    size: int
    mtime_ns: int
    since: float


class Arrivals:
    """Lists folders and prefixes again and again.

    What identifies a content is the path with size and time of change, or with size and ETag. A file is taken
    once both have stayed the same for `settle_s`; an object is there as a whole or not at all.
    """

    def __init__(self, places: Sequence[str], *, settle_s: float) -> None:
        """Raises `path_missing` for what is no folder, and `url_not_allowed` for what is no prefix."""
        self._places = places
        self._settle_s = settle_s
        self._growing: dict[str, _Growing] = {}
        for place in places:
            if is_remote(place):
                prefix_of(place)
            elif not Path(place).is_dir():
                raise ExemplarError("path_missing", f"expected a folder or a prefix, got {place}")

    @property
    def waiting(self) -> int:
        """The number of files that may still grow, as of the last listing."""
        return len(self._growing)

    def take(self, journal: Journal) -> Iterator[list[Listed]]:
        """Yield what is new or changed in slices, as it is listed; a slice is to be added to the journal."""
        arrived: list[Listed] = []
        growing: dict[str, _Growing] = {}
        for picture in self._listed():
            if journal.is_known(picture):
                continue
            if picture.kind is Kind.LOCAL and not self._is_settled(picture, growing):
                continue
            arrived.append(picture)
            if len(arrived) == SLICE:
                yield arrived
                arrived = []
        self._growing = growing
        if arrived:
            yield arrived

    def _is_settled(self, picture: Listed, growing: dict[str, _Growing]) -> bool:
        last, now = self._growing.get(picture.place), time.monotonic()
        if last is None or (last.size, last.mtime_ns) != (picture.size, picture.mtime_ns):
            last = _Growing(picture.size, picture.mtime_ns, now)
        if now - last.since >= self._settle_s:
            return True
        growing[picture.place] = last
        return False

    def _listed(self) -> Iterator[Listed]:
        left_out = LeftOut()
        for place in self._places:
            if is_remote(place):
                yield from list_prefix(place, left_out)
            else:
                yield from list_paths([Path(place)], left_out=left_out)
