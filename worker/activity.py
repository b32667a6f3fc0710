"""A worker's activity: the current run of the pipeline, and the time since its last step."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def new_owner(name: str) -> str:
    """Return a new, unique owner of leases.

    A worker whose lease has expired cannot be mistaken for the one that replaced it.
    """
    return f"{name}:{secrets.token_hex(6)}"


class Progress:
    """When a thread that holds leases last made a step; the thread writes it, the heartbeat reads it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moved_at = clock()
        self.holds = False
        """Whether the thread holds leases."""

    def moved(self) -> None:
        """Record a step; call it often."""
        self._moved_at = self._clock()

    def is_moving(self, stall_s: float) -> bool:
        """Return whether the last step is less than `stall_s` ago: a thread that hangs loses its leases."""
        return self._clock() - self._moved_at < stall_s


class Activity:
    """Shared by pipeline and heartbeat; `stopping` returns whether the process is stopping."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock = clock
        self._stopping = stopping
        self.owner: str | None = None
        """The owner of the leases of the current run; None between two runs."""
        self._moved_at = clock()
        self._ran_at = self._began_at = clock()
        self._idle_before: float | None = None

    @property
    def is_stopping(self) -> bool:
        """Whether no more work is to be claimed."""
        return self._stopping()

    @property
    def idle_s(self) -> float:
        """The seconds since work was last claimed or settled."""
        return self._clock() - self._moved_at

    @property
    def run_s(self) -> float:
        """The duration of the current run in seconds; 0 between two runs."""
        return 0.0 if self.owner is None else self._clock() - self._began_at

    def moved(self) -> None:
        """Record a step of the work."""
        self._moved_at = self._clock()

    @contextmanager
    def run(self, name: str) -> Iterator[str]:
        """Run the pipeline under a new owner, so that the leases of what it leaves undone expire."""
        self._began_at = self._clock()
        self.owner = new_owner(name)
        try:
            yield self.owner
        finally:
            self.owner = None
            self._ran_at = self._moved_at = self._clock()

    def is_stalled(self, *, work_waits: bool, stall_s: float) -> bool:
        """Return whether work has waited for `stall_s` without a run; call it often.

        A run in progress is no stall: Celery's time limits bound it.
        """
        now = self._clock()
        if not work_waits or self.owner is not None:
            self._idle_before = None
        elif self._idle_before is None or self._idle_before < self._ran_at:
            self._idle_before = now
        return self._idle_before is not None and now - self._idle_before >= stall_s
