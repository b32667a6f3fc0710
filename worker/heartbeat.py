"""The heartbeat of a worker: it renews leases, reports the worker as alive, and sweeps for all."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import structlog

from core.errors import ExemplarError
from store.work.workers import Worker
from worker.heartbeat_file import WorkerState, write_heartbeat
from worker.loops import Loop
from worker.metrics import MOST_COLLECTIONS
from worker.sweep import Sweep
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")

SWEEP_SHARE = 0.9  # of the time between two beats, during which only one worker sweeps
TICK_S = 0.25  # the delay before an order to stop is noticed
METRICS_S = 10.0  # between two writes of the worker's metrics into the record


class Heartbeat:
    """Beats until it is stopped; `leave` ends the process when stopping takes too long."""

    def __init__(self, tools: Tools, leave: Callable[[], None] = lambda: None) -> None:
        self._tools = tools
        self._leave = leave
        settings = tools.settings
        self._pause_s = min(settings.sweep_s, settings.lease_s / 4, settings.stall_s / 4)
        self._sweep = Sweep(tools.store, tools.watch.metrics, settings.job_ttl_s)
        self._beat_at = self._metrics_at = 0.0
        self._stop_by: float | None = None
        tick_s = min(self._pause_s, TICK_S)
        # leases cannot wait for a back-off: the next beat is due even if this one failed
        self._loop = Loop(
            "heartbeat", self._tick, pause_s=tick_s, max_back_off_s=tick_s, on_error=self._log_failure
        )

    def start(self) -> None:
        """Beat once, so that a ready worker is known immediately, then continue in a thread."""
        self._beat()
        self._loop.start()

    def stop(self) -> None:
        """Stop beating."""
        self._loop.stop()

    def _tick(self) -> bool:
        self._leave_if_due()
        if time.monotonic() >= self._beat_at:
            self._beat()
        return False

    def _log_failure(self, error: Exception) -> None:
        self._write_file(error.code if isinstance(error, ExemplarError) else "internal_error")

    def _write_file(self, fault: str | None = None) -> None:
        activity, settings = self._tools.activity, self._tools.settings
        if fault is None and activity.owner is not None and activity.idle_s > settings.stall_s:
            fault = "no_progress"
        state = "stopping" if activity.is_stopping else "working"
        write_heartbeat(settings.data, self._tools.name, WorkerState(state, fault))

    def _leave_if_due(self) -> None:
        """Requeue everything once the time limit for stopping is over."""
        tools = self._tools
        if self._stop_by is None and tools.activity.is_stopping:
            self._stop_by = time.monotonic() + tools.settings.stop_s
        if self._stop_by is None or time.monotonic() < self._stop_by:
            return
        try:
            requeue_all(tools)
        except ExemplarError as error:  # the leases will expire
            log.warning("requeue_failed", error=error.message)
        self._leave()

    def _beat(self) -> None:
        self._beat_at = time.monotonic() + self._pause_s
        tools = self._tools
        if tools.activity.owner is not None:
            tools.store.chunks.renew(tools.activity.owner)
        if tools.reading.is_moving(tools.settings.stall_s):
            tools.store.sources.renew(tools.owner)
        tools.store.smoothings.renew(tools.owner)
        tools.store.workers.beat(_worker(tools), metrics=self._metrics())
        if not tools.activity.is_stopping and is_stalled(tools):
            _restart()
        if tools.store.wake_ups.may_sweep(SWEEP_SHARE * self._pause_s):
            self._sweep.run()
        self._write_file()

    def _metrics(self) -> str | None:
        """Return the metrics when they are due and the worker has no metrics port of its own."""
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
    """Requeue everything that this worker holds; its later results have no effect."""
    chunks = 0
    if tools.activity.owner is not None:
        chunks = tools.store.chunks.requeue_all(tools.activity.owner)
    tools.store.sources.release(tools.owner)
    tools.store.smoothings.release(tools.owner)
    tools.store.workers.leave(tools.name, tools.owner)
    log.warning("requeued_unfinished", chunks=chunks)


def is_stalled(tools: Tools) -> bool:
    """Return whether no wake-up reaches this worker although its work waits and the queue answers.

    Only a restart helps against a Celery parent process that hangs.
    """
    is_idle = tools.activity.owner is None
    ours = is_idle and any(tools.store.chunks.waits(encoder, tools.lanes) for encoder in tools.encoders)
    try:
        if ours:
            tools.store.wake_ups.check()
    except ExemplarError:
        ours = False  # without Redis no worker gets wake-ups
    return tools.activity.is_stalled(work_waits=ours, stall_s=tools.settings.stall_s)


def _restart() -> None:
    log.error("worker_stalled", error="work waits and no wake-up arrives; the supervisor restarts the worker")
    os.kill(os.getppid(), signal.SIGKILL)
    os._exit(1)
