"""Waiting for jobs: one thread polls the record for all waiting requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

POLL_S = 0.004
PAUSE_S = 1.0  # after the record did not answer

Finished = Callable[[Sequence[str]], set[str]]


class JobWatch:
    """Lets many requests wait for their jobs at the cost of one small query every 4 ms."""

    def __init__(self, finished: Finished, *, places: int) -> None:
        self._finished = finished
        self._places = threading.BoundedSemaphore(places)
        self._waited: dict[str, set[threading.Event]] = {}
        self._changed = threading.Condition()
        self._has_ended = False
        self._thread = threading.Thread(target=self._run, name="job-watch", daemon=True)
        self._thread.start()

    def wait(self, job_id: str, timeout_s: float) -> bool:
        """Wait for a job to end; return False on a time-out, if too many wait already, or on `stop`."""
        if self._has_ended or not self._places.acquire(blocking=False):
            return False
        ended = threading.Event()  # one per waiter: several may wait for one job with different limits
        try:
            with self._changed:
                self._waited.setdefault(job_id, set()).add(ended)
                self._changed.notify()
            return ended.wait(timeout_s) and not self._has_ended
        finally:
            with self._changed:
                self._waited[job_id].discard(ended)
                if not self._waited[job_id]:
                    del self._waited[job_id]
            self._places.release()

    def end(self) -> None:
        """Release all waiters, and admit no more."""
        with self._changed:
            self._has_ended = True
            for waiting in self._waited.values():
                for ended in waiting:
                    ended.set()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waited)
                job_ids = list(self._waited)
            pause_s = POLL_S
            try:
                finished = self._finished(job_ids)
            except Exception:  # the record is unavailable: waiters will see that when their time is up
                finished, pause_s = set(), PAUSE_S
            with self._changed:
                for job_id in finished:
                    for ended in self._waited.get(job_id, ()):
                        ended.set()
                self._changed.wait(pause_s)
