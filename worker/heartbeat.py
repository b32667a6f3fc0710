"""The heartbeat of a worker: it renews leases, reports the worker as alive, and sweeps for all."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence

import structlog

from core.errors import ExemplarError
from core.jobs import Lane
from store.work.workers import ALIVE_S, Worker
from worker.heartbeat_file import WorkerState, write_heartbeat
from worker.loops import Loop, LoopPart
from worker.metrics import MOST_COLLECTIONS
from worker.sweep import Sweep
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")

SWEEP_SHARE = 0.9  # of the time between two sweeps, during which only one worker sweeps
TICK_S = 0.25  # the delay before an order to stop is noticed
METRICS_S = 15.0  # between two writes of the worker's metrics into the record
LONGEST_RUN_S = 90.0  # of the interactive lane; Celery's time limit bounds that of the bulk lane


class Heartbeat(LoopPart):
    """Beats until it is stopped; `leave` ends the process when stopping takes too long."""

    def __init__(self, lanes: Sequence[Tools], leave: Callable[[], None] = lambda: None) -> None:
        self._lanes = lanes
        self._tools = tools = lanes[-1]
        self._leave = leave
        settings = tools.settings
        self._beat_s = min(settings.lease_s / 4, settings.stall_s / 4, ALIVE_S / 4)
        self._stall_s = max(settings.stall_s / 8, self._beat_s)
        self._sweep = Sweep(tools.store, tools.watch.metrics, settings)
        self._beat_at = self._sweep_at = self._stall_at = self._metrics_at = 0.0
        self._stop_by: float | None = None
        tick_s = min(self._beat_s, settings.sweep_s, TICK_S)
        # leases cannot wait for a back-off: the next beat is due even if this one failed
        self._loop = Loop(
            "heartbeat", self._tick, pause_s=tick_s, max_back_off_s=tick_s, on_error=self._log_failure
        )

    def start(self) -> None:
        """Beat once, so that a ready worker is known immediately, then continue in a thread."""
        self._beat()
        self._loop.start()

    def _tick(self) -> bool:
        self._leave_if_due()
        self._leave_if_hanging()
        if time.monotonic() >= self._beat_at:
            self._beat()
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + self._tools.settings.sweep_s
            if self._tools.store.wake_ups.may_sweep(SWEEP_SHARE * self._tools.settings.sweep_s):
                self._sweep.run()
        return False

    def _log_failure(self, error: Exception) -> None:
        self._write_file(error.code if isinstance(error, ExemplarError) else "internal_error")

    def _write_file(self, fault: str | None = None) -> None:
        settings = self._tools.settings
        works = [lane.activity for lane in self._lanes if lane.activity.owner is not None]
        if fault is None and any(activity.idle_s > settings.stall_s for activity in works):
            fault = "no_progress"
        state = "stopping" if self._tools.activity.is_stopping else "working"
        write_heartbeat(settings.data, self._tools.name, WorkerState(state, fault))

    def _leave_if_hanging(self) -> None:
        """End a process whose interactive lane hangs; the parent starts another."""
        for lane in self._lanes:
            if Lane.INTERACTIVE in lane.lanes and lane.activity.run_s > LONGEST_RUN_S:
                log.error("pipeline_hangs", error="the run took too long; a new child continues without it")
                os._exit(1)

    def _leave_if_due(self) -> None:
        """Requeue everything once the time limit for stopping is over."""
        tools = self._tools
        if self._stop_by is None and tools.activity.is_stopping:
            self._stop_by = time.monotonic() + tools.settings.stop_s
        if self._stop_by is None or time.monotonic() < self._stop_by:
            return
        try:
            requeue_all(self._lanes)
        except ExemplarError as error:  # the leases will expire
            log.warning("requeue_failed", error=error.message)
        self._leave()

    def _beat(self) -> None:
        self._beat_at = time.monotonic() + self._beat_s
        tools = self._tools
        for lane in self._lanes:
            if lane.activity.owner is not None:
                tools.store.chunks.renew(lane.activity.owner)
        if tools.reading.holds and tools.reading.is_moving(tools.settings.stall_s):
            tools.store.sources.renew(tools.owner)
        if tools.smoothing.holds:
            tools.store.smoothings.renew(tools.owner)
        tools.store.workers.beat(_worker(self._lanes), metrics=self._metrics())
        if time.monotonic() >= self._stall_at and not tools.activity.is_stopping:
            self._stall_at = time.monotonic() + self._stall_s
            if is_stalled(tools):
                _restart()
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


def _worker(lanes: Sequence[Tools]) -> Worker:
    tools = lanes[-1]
    idle_s = min(lane.activity.idle_s for lane in lanes)
    served = tuple(lane for one in lanes for lane in one.lanes)
    return Worker(tools.name, tools.owner, tuple(tools.encoders), tools.device, served, idle_s=idle_s)


def requeue_all(lanes: Sequence[Tools]) -> None:
    """Requeue everything that this worker holds; its later results have no effect."""
    tools, chunks = lanes[-1], 0
    for lane in lanes:
        if lane.activity.owner is not None:
            chunks += tools.store.chunks.requeue_all(lane.activity.owner)
    tools.store.sources.release(tools.owner)
    tools.store.smoothings.release(tools.owner)
    tools.store.workers.leave(tools.name, tools.owner)
    log.warning("requeued_unfinished", chunks=chunks)


def is_stalled(tools: Tools) -> bool:
    """Return whether no wake-up reaches this lane although its work waits and the queue answers.

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
