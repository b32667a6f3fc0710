"""Waiting for jobs: Redis tells when they end, and one thread asks the record for all waiting requests."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from store.queue.ended_jobs import EndedJobs

FIRST_S = 0.02  # until the record is asked, where Redis tells nothing; doubled each time
POLL_S = 0.5  # the longest, and where Redis tells
PAUSE_S = 1.0  # after the record did not answer
MOST_KEPT = 4096  # jobs known to have ended before anybody waited for them

Finished = Callable[[Sequence[str]], set[str]]


class JobWatch:
    """Lets many requests wait for their jobs; together they ask the record at most twice a second.

    Without Redis they ask it more often at first.
    """

    def __init__(self, finished: Finished, *, places: int, redis_url: str) -> None:
        self._finished = finished
        self._places = threading.BoundedSemaphore(places)
        self._waited: dict[str, set[threading.Event]] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        self._changed = threading.Condition()
        self._pause_s = POLL_S
        self._due_at = 0.0
        self._has_ended = False
        self._ends = EndedJobs(redis_url, self._end_waits)
        self._thread = threading.Thread(target=self._run, name="job-watch", daemon=True)
        self._thread.start()

    def wait(self, job_id: str, timeout_s: float) -> bool:
        """Wait for a job to end; return False on a time-out, if too many wait already, or on `stop`."""
        if self._has_ended or not self._places.acquire(blocking=False):
            return False
        ended = threading.Event()  # one per waiter: several may wait for one job with different limits
        try:
            self._ends.start()
            with self._changed:
                is_first = not self._waited
                self._waited.setdefault(job_id, set()).add(ended)
                self._ask_soon(job_id, is_first=is_first)
            return ended.wait(timeout_s) and not self._has_ended
        finally:
            with self._changed:
                waiting = self._waited.get(job_id, set())
                waiting.discard(ended)
                if not waiting:
                    self._waited.pop(job_id, None)
            self._places.release()

    def end(self) -> None:
        """Release all waiters, and admit no more."""
        with self._changed:
            self._has_ended = True
            self._release(self._waited)

    def _ask_soon(self, job_id: str, *, is_first: bool) -> None:
        """Let the record be asked when that is worth it for a job that somebody begins to wait for."""
        if not (is_first or job_id in self._known or not self._ends.is_heard):
            return
        self._pause_s = POLL_S if self._ends.is_heard else FIRST_S
        # one that ended may have been retried since: the record knows
        due_at = time.monotonic() + (0.0 if job_id in self._known else self._pause_s)
        self._due_at = due_at if is_first else min(self._due_at, due_at)
        self._changed.notify()

    def _release(self, job_ids: Iterable[str]) -> None:
        for job_id in job_ids:
            for ended in self._waited.get(job_id, ()):
                ended.set()

    def _end_waits(self, job_ids: Sequence[str]) -> None:
        with self._changed:
            self._release(job_ids)
            self._known.update(dict.fromkeys(job_ids))
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waited)
                while (left_s := self._due_at - time.monotonic()) > 0:
                    self._changed.wait(left_s)
                job_ids = list(self._waited)
            try:
                finished = self._finished(job_ids) if job_ids else set()
                self._pause_s = POLL_S if self._ends.is_heard else min(2 * self._pause_s, POLL_S)
            except Exception:  # the record is unavailable: waiters will see that when their time is up
                finished, self._pause_s = set(), PAUSE_S
            with self._changed:
                self._release(finished)
                self._due_at = time.monotonic() + self._pause_s
