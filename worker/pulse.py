"""The pulse of a worker: signs of life, longer leases, and the sweep that forgets no work."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence

import structlog

from core.errors import ExemplarError
from store.blobs import uploads_of
from store.chunks import Waiting
from store.jobs import submitted_at
from store.store import Store
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")

UPLOADS_S = 3600.0  # between two looks for uploads without a job
ORPHAN_S = 86400.0  # an upload may take long before its job is in the record
AT_ONCE = 500  # ids in one statement


class Pulse:
    """A thread that beats until it is stopped."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._uploads_at = time.monotonic() + UPLOADS_S
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Beat once, so that a worker that is ready is known at once, and go on in a thread."""
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        """Stop beating."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        settings = self._tools.settings
        pause_s = min(settings.sweep_s, settings.lease_s / 4, settings.stall_s / 4)
        while not self._stop.wait(pause_s):
            try:
                self._beat()
            except ExemplarError as error:  # the record is away; the leases wait as long as they last
                log.warning("pulse_missed", error=error.message)
            except Exception as error:  # the boundary of the thread: a worker without a pulse is no worker
                log.error("pulse_failed", exc_info=error)

    def _beat(self) -> None:
        tools = self._tools
        if tools.activity.owner is not None:
            tools.store.chunks.renew(tools.activity.owner)
        if tools.feeding.is_moving(tools.settings.stall_s):
            tools.store.sources.renew(tools.owner)
        tools.store.smoothings.renew(tools.owner)
        device = next(iter(tools.encoders.values())).device
        tools.store.workers.beat(tools.name, tools.owner, tuple(tools.encoders), device)
        found = tools.store.chunks.sweep()
        if found:
            log.info("leases_ran_out", chunks=found)
        waiting = tools.store.chunks.waiting()
        remind(tools.store, waiting)
        if is_stalled(tools, waiting):
            _start_anew()
        tidy(tools.store, tools.settings.job_ttl_s)
        if time.monotonic() >= self._uploads_at:
            self._uploads_at = time.monotonic() + UPLOADS_S
            tidy_uploads(tools.store)


def remind(store: Store, waiting: Sequence[Waiting]) -> None:
    """Hint again at work that waits while no hint does: Redis may have lost it."""
    for work in waiting:
        store.turns.remind(work.lane, work.encoder)


def is_stalled(tools: Tools, waiting: Sequence[Waiting]) -> bool:
    """Say whether no turn comes to this worker although work for it waits and the queue answers.

    Celery's parent process can freeze on a broken connection to Redis; only a new one helps.
    """
    ours = any(work.encoder in tools.encoders and work.lane in tools.lanes for work in waiting)
    try:
        if ours:
            tools.store.turns.check()
    except ExemplarError:
        ours = False  # without Redis there are no turns for anybody
    return tools.activity.is_stalled(work_waits=ours, stall_s=tools.settings.stall_s)


def tidy(store: Store, job_ttl_s: float) -> None:
    """Remove jobs that ended long ago, with their uploads."""
    for job_id in store.jobs.remove_old(job_ttl_s):  # what is left behind here is found by `tidy_uploads`
        store.blobs.remove_folder(uploads_of(job_id))


def tidy_uploads(store: Store) -> int:
    """Remove uploads that no job came of, since what took them died; return how many that were."""
    long_ago = time.time() - ORPHAN_S
    old = [job_id for job_id in store.blobs.jobs_with_uploads() if 0 < submitted_at(job_id) < long_ago]
    orphans: list[str] = []
    for start in range(0, len(old), AT_ONCE):
        orphans += sorted(store.jobs.unknown_among(old[start : start + AT_ONCE]))
    for job_id in orphans:
        store.blobs.remove_folder(uploads_of(job_id))
    return len(orphans)


def _start_anew() -> None:
    log.error("worker_stalled", error="work waits and no turn comes; the supervisor starts a new worker")
    os.kill(os.getppid(), signal.SIGKILL)
    os._exit(1)
