"""What a worker is doing: the run under way, and how long nothing has moved."""

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
    """When a thread that holds leases moved last, written by it and read by the heartbeat."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moved_at = clock()

    def moved(self) -> None:
        """Count a step; call it often."""
        self._moved_at = self._clock()

    def is_moving(self, stall_s: float) -> bool:
        """Return whether the last step is less than `stall_s` ago: a thread that hangs keeps no lease."""
        return self._clock() - self._moved_at < stall_s


class Activity:
    """Shared by pipeline and heartbeat; `stopping` returns whether the process is to end."""

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
        self._ran_at = clock()
        self._idle_before: float | None = None

    @property
    def owner(self) -> str | None:
        """Who holds the leases of the run under way; None between two runs."""
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
    def run(self, name: str) -> Iterator[str]:
        """A run of the pipeline; its owner is its own, so the leases of what it leaves undone run out."""
        self._owner = new_owner(name)
        try:
            yield self._owner
        finally:
            self._owner = None
            self._ran_at = self._moved_at = self._clock()

    def is_stalled(self, *, work_waits: bool, stall_s: float) -> bool:
        """Return whether work has waited for `stall_s` without a run; ask often.

        A run under way is no stall: Celery's time limits watch over it.
        """
        now = self._clock()
        if not work_waits or self._owner is not None:
            self._idle_before = None
        elif self._idle_before is None or self._idle_before < self._ran_at:
            self._idle_before = now
        return self._idle_before is not None and now - self._idle_before >= stall_s
