"""What a worker is doing: the turn under way, and how long nothing has moved."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def new_owner(name: str) -> str:
    """Return an owner of leases that was never there before.

    A worker that was thought dead cannot be mistaken for the one that took its place.
    """
    return f"{name}:{secrets.token_hex(6)}"


class Progress:
    """When a thread that holds leases moved last, told by it and asked by the one that beats."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moved_at = clock()

    def moved(self) -> None:
        """Count a step; call it often."""
        self._moved_at = self._clock()

    def is_moving(self, stall_s: float) -> bool:
        """Say whether the last step is less than `stall_s` ago: a thread that hangs keeps no lease."""
        return self._clock() - self._moved_at < stall_s


class Activity:
    """Shared by the thread that takes turns and the one that beats; `stopping` says whether all is to end."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock = clock
        self._stopping = stopping
        self._owner: str | None = None
        self._moved_at = clock()
        self._turned_at = clock()
        self._idle_before: float | None = None

    @property
    def owner(self) -> str | None:
        """Who holds the leases of the turn under way; None between two turns."""
        return self._owner

    @property
    def is_stopping(self) -> bool:
        """Whether no more work is to be taken."""
        return self._stopping()

    @property
    def idle_s(self) -> float:
        """How long ago work was last taken or settled, in seconds."""
        return self._clock() - self._moved_at

    def moved(self) -> None:
        """Count a step of the work."""
        self._moved_at = self._clock()

    @contextmanager
    def turn(self, name: str) -> Iterator[str]:
        """A turn under way; its owner is its own, so what it leaves undone is renewed by nobody."""
        self._owner = new_owner(name)
        try:
            yield self._owner
        finally:
            self._owner = None
            self._turned_at = self._moved_at = self._clock()

    def is_stalled(self, *, work_waits: bool, stall_s: float) -> bool:
        """Say whether work has waited for `stall_s` without a turn; ask often.

        A turn under way is no stall: Celery's time limits watch over it.
        """
        now = self._clock()
        if not work_waits or self._owner is not None:
            self._idle_before = None
        elif self._idle_before is None or self._idle_before < self._turned_at:
            self._idle_before = now
        return self._idle_before is not None and now - self._idle_before >= stall_s
