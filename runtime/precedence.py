"""Precedence of those who wait: the API tells bulk work on the same machine to hold still for a moment."""

from __future__ import annotations

import mmap
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_S = 0.1  # that one answer holds bulk work up
STEP_S = 0.001
_TIME = struct.Struct("d")


class Precedence:
    """A moment in memory that processes share by a file: until then, somebody waits for an answer.

    The moment is one of the machine's monotonic clock, so the file means nothing elsewhere or after a restart
    of the machine. Where the file cannot be used, nobody is held up.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self._shared = _shared(folder / "precedence")

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold bulk work up in the block, for a tenth of a second at most unless it is renewed."""
        with self._lock:
            self._waiting += 1
        self.renew()
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    _TIME.pack_into(self._shared, 0, 0.0)

    def renew(self) -> None:
        """Begin anew, as when all of a picture has arrived."""
        _TIME.pack_into(self._shared, 0, time.monotonic() + MOST_S)

    def left_s(self, now: float) -> float:
        """Return for how long bulk work is still to hold still, at a moment of the monotonic clock."""
        (until,) = _TIME.unpack_from(self._shared, 0)
        return float(until) - now if now < until <= now + MOST_S else 0.0


class Holding:
    """Bulk work that holds still while somebody waits, but for no longer than it has worked before."""

    def __init__(self, precedence: Precedence) -> None:
        self._precedence = precedence
        self._working_since = time.monotonic()

    def __call__(self) -> None:
        """Return once nobody waits, or after as long as has passed since the last time."""
        begun = now = time.monotonic()
        until = begun + (begun - self._working_since)
        while now < until and self._precedence.left_s(now) > 0:
            time.sleep(STEP_S)
            now = time.monotonic()
        if now > begun:
            self._working_since = now


def _shared(path: Path) -> mmap.mmap:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.tell() < _TIME.size:  # written, not only made longer: a full disk must be noticed here
                file.write(bytes(_TIME.size))
                file.flush()
            return mmap.mmap(file.fileno(), _TIME.size)
    except (OSError, ValueError):
        return mmap.mmap(-1, _TIME.size)
