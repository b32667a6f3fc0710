"""Waiting for jobs: one thread asks the record for all that are waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

POLL_S = 0.01

Finished = Callable[[Sequence[str]], set[str]]


class JobWatch:
    """Lets many requests wait for their jobs at the price of one small query every 10 ms."""

    def __init__(self, finished: Finished, *, places: int) -> None:
        self._finished = finished
        self._places = threading.BoundedSemaphore(places)
        self._waited: dict[str, threading.Event] = {}
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="job-watch", daemon=True)
        self._thread.start()

    def wait(self, job_id: str, timeout_s: float) -> bool:
        """Wait for the end of a job; False where the time ran out or too many wait already."""
        if not self._places.acquire(blocking=False):
            return False
        try:
            with self._changed:
                event = self._waited.setdefault(job_id, threading.Event())
                self._changed.notify()
            return event.wait(timeout_s)
        finally:
            with self._changed:
                self._waited.pop(job_id, None)
            self._places.release()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waited)
                job_ids = list(self._waited)
            try:
                ended = self._finished(job_ids)
            except Exception:  # the record is away: those who wait will see so when their time is up
                ended = set()
            with self._changed:
                for job_id in ended:
                    if job_id in self._waited:
                        self._waited[job_id].set()
                self._changed.wait(POLL_S)
