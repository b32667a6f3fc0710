"""The pulse of a worker: its heartbeat, renewed leases, and the sweep that forgets no work."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from core.errors import ExemplarError
from core.specs import is_removed, removed
from store.blobs import uploads_of
from store.store import Store
from store.work.chunks import Waiting
from store.work.jobs import submitted_at
from store.work.workers import Worker
from worker.metrics import MOST_COLLECTIONS
from worker.sign import Sign, write_sign
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")

UPLOADS_S = 3600.0  # between two looks for uploads without a job
ORPHAN_S = 86400.0  # an upload may take long before its job is in the record
SWEEP_SHARE = 0.9  # of the time between two beats, in which one of all workers sweeps
TICK_S = 0.25  # how soon an order to stop is noticed
METRICS_S = 10.0  # between two writings of the worker's metrics into the record
AT_ONCE = 500  # ids in one statement


class Pulse:
    """A thread that beats until it is stopped; `leave` ends the process when stopping takes too long."""

    def __init__(self, tools: Tools, leave: Callable[[], None] = lambda: None) -> None:
        self._tools = tools
        self._leave = leave
        settings = tools.settings
        self._pause_s = min(settings.sweep_s, settings.lease_s / 4, settings.stall_s / 4)
        self._uploads_at = time.monotonic() + UPLOADS_S
        self._metrics_at = 0.0
        self._stop_by: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Beat once, so that a worker that is ready is known at once, and go on in a thread."""
        self._beat()
        self._sign()
        self._thread.start()

    def stop(self) -> None:
        """Stop beating."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        beat_at = time.monotonic() + self._pause_s
        while not self._stop.wait(min(self._pause_s, TICK_S)):
            self._mind_the_stop()
            if time.monotonic() >= beat_at:
                self._try_to_beat()
                beat_at = time.monotonic() + self._pause_s

    def _try_to_beat(self) -> None:
        fault = None
        try:
            self._beat()
        except ExemplarError as error:  # the record is away; the leases wait as long as they last
            fault = error.code
            log.warning("pulse_missed", error=error.message)
        except Exception as error:  # the boundary of the thread: a worker without a pulse is no worker
            fault = "internal_error"
            log.error("pulse_failed", exc_info=error)
        self._sign(fault)

    def _sign(self, fault: str | None = None) -> None:
        activity, settings = self._tools.activity, self._tools.settings
        if fault is None and activity.owner is not None and activity.idle_s > settings.stall_s:
            fault = "no_progress"
        state = "stopping" if activity.is_stopping else "working"
        write_sign(settings.data, self._tools.name, Sign(state, fault))

    def _mind_the_stop(self) -> None:
        """Requeue everything once the process has been told to stop and the time for it is over."""
        tools = self._tools
        if self._stop_by is None and tools.activity.is_stopping:
            self._stop_by = time.monotonic() + tools.settings.stop_s
        if self._stop_by is None or time.monotonic() < self._stop_by:
            return
        try:
            requeue_all(tools)
        except ExemplarError as error:  # the leases end by themselves
            log.warning("requeue_missed", error=error.message)
        self._leave()

    def _beat(self) -> None:
        tools = self._tools
        if tools.activity.owner is not None:
            tools.store.chunks.renew(tools.activity.owner)
        if tools.feeding.is_moving(tools.settings.stall_s):
            tools.store.sources.renew(tools.owner)
        tools.store.smoothings.renew(tools.owner)
        tools.store.workers.beat(_worker(tools), metrics=self._metrics())
        if not tools.activity.is_stopping and is_stalled(tools):
            _start_anew()
        if tools.store.wake_ups.may_sweep(SWEEP_SHARE * self._pause_s):
            self._sweep()

    def _sweep(self) -> None:
        """Do for all workers what one of them has to do."""
        tools = self._tools
        found = tools.store.chunks.sweep()
        tools.watch.metrics.sweeps.inc()
        tools.watch.metrics.leases_ran_out.inc(found)
        if found:
            log.info("leases_ran_out", chunks=found)
        end_removed(tools.store, waiting := tools.store.chunks.waiting())
        wake_workers(tools.store, waiting)
        tidy(tools.store, tools.settings.job_ttl_s)
        if time.monotonic() >= self._uploads_at:
            self._uploads_at = time.monotonic() + UPLOADS_S
            tidy_uploads(tools.store)

    def _metrics(self) -> str | None:
        """Return the metrics where they are due, and are not asked for at a port of the worker's own."""
        if time.monotonic() < self._metrics_at:
            return None
        self._metrics_at = time.monotonic() + METRICS_S
        tools = self._tools
        held = dict(sorted(tools.replicas.versions().items())[:MOST_COLLECTIONS])
        current = tools.store.collections.versions(list(held)) if held else []
        tools.watch.metrics.show_replicas({name: (held[id_], version) for id_, name, version in current})
        return None if tools.settings.metrics_port else tools.watch.metrics.text()


def _worker(tools: Tools) -> Worker:
    encoders, idle_s = tuple(tools.encoders), tools.activity.idle_s
    return Worker(tools.name, tools.owner, encoders, tools.device, tools.lanes, idle_s=idle_s)


def requeue_all(tools: Tools) -> None:
    """Let others have all that this worker holds, at once; what it still does of it has no effect."""
    chunks = 0
    if tools.activity.owner is not None:
        chunks = tools.store.chunks.requeue_all(tools.activity.owner)
    tools.store.sources.release(tools.owner)
    tools.store.smoothings.release(tools.owner)
    tools.store.workers.leave(tools.name, tools.owner)
    log.warning("requeued_unfinished", chunks=chunks)


def wake_workers(store: Store, waiting: Sequence[Waiting]) -> None:
    """Send wake-ups for waiting work, one for each worker that could take some: Redis may have lost them."""
    workers = store.workers.alive() if waiting else []
    for work in waiting:
        able = sum(work.encoder in worker.encoders and work.lane in worker.lanes for worker in workers)
        store.wake_ups.wake_workers(work.lane, work.encoder, workers=max(1, min(able, work.chunks)))


def end_removed(store: Store, waiting: Sequence[Waiting]) -> None:
    """End what waits for encoders that were removed: no worker will ever serve them."""
    for encoder in sorted({work.encoder for work in waiting if is_removed(work.encoder)}):
        error = removed(encoder)
        chunks = store.chunks.end_queued(encoder, error)
        log.warning("encoder_removed", encoder=encoder, chunks=chunks, error=error.message)


def is_stalled(tools: Tools) -> bool:
    """Return whether no wake-up reaches this worker although work for it waits and the queue answers.

    A parent process of Celery that stands still is helped only by a new one.
    """
    is_idle = tools.activity.owner is None
    ours = is_idle and any(tools.store.chunks.waits(encoder, tools.lanes) for encoder in tools.encoders)
    try:
        if ours:
            tools.store.wake_ups.check()
    except ExemplarError:
        ours = False  # without Redis no worker gets any
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
    log.error("worker_stalled", error="work waits and no wake-up comes; the supervisor starts a new worker")
    os.kill(os.getppid(), signal.SIGKILL)
    os._exit(1)
