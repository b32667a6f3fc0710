"""The worker process: Celery's prefork pool with one child that holds model and replicas."""

from __future__ import annotations

import logging
import math
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

import structlog
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import (
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutting_down,
)

from core.errors import RECORD_REFUSALS, ExemplarError
from core.jobs import Lane
from core.settings import Settings
from runtime.logs import set_up_logs
from runtime.processes import REFUSED_S, die_with_parent, keep_started, yield_to_others
from store.queue.wake_ups import TASK, new_celery, queue_of
from worker.heartbeat_file import WorkerState, remove_heartbeat, write_heartbeat

log = structlog.get_logger("exemplar.worker")

LATE_S = 5.0  # added to the child's own limit
_FAILED, _STOPPING = 0, 1  # offsets in the memory that child and parent share


def run_worker(
    settings: Settings, *, name: str | None, encoders: Sequence[str], lanes: Sequence[Lane]
) -> None:
    """Run a worker until it is stopped; exits with code 1 if the child could not start.

    The name must be unique: a worker expires the leases of an earlier process with its name.
    """
    name = name or socket.gethostname()
    set_up_logs(settings.log_level, worker=name)
    _set_up_celery_logs(settings.log_level)
    write_heartbeat(settings.data, name, WorkerState("starting"))
    app = new_celery(settings.redis_url)
    child = _Child(app, settings, name, encoders, lanes)
    child.connect()
    # the child takes the wake-ups of the interactive lane itself
    queues = [queue_of(Lane.BULK, encoder) for encoder in encoders] if Lane.BULK in lanes else ["none"]
    app.worker_main(
        [
            "worker",
            "--pool=prefork",
            "--concurrency=1",
            f"--queues={','.join(queues)}",
            f"--hostname={name}@%h",
            f"--loglevel={settings.log_level}",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )
    remove_heartbeat(settings.data, name)
    if child.has_failed:
        sys.exit(1)


def _set_up_celery_logs(level: str) -> None:
    """Send Celery's log through ours, without a line for every task, and drop its banner."""
    setup_logging.connect(lambda **_: None, weak=False)  # keeps Celery from configuring logging
    if level.upper() != "DEBUG":
        for name in ("celery.app.trace", "celery.worker.strategy", "faiss.loader"):
            logging.getLogger(name).setLevel(logging.WARNING)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class _Child:
    """The pool's child process; nothing before the fork may start threads or CUDA."""

    def __init__(
        self, app: Celery, settings: Settings, name: str, encoders: Sequence[str], lanes: Sequence[Lane]
    ) -> None:
        self._app = app
        self._settings = settings
        self._name = name
        self._encoders = encoders
        self._served = lanes
        self._lanes: Sequence[Any] = ()  # the tools of each
        self._parts: list[Any] = []  # its threads, the heartbeat first
        self._yields = False
        self._shared = mmap.mmap(-1, 2)  # with the parent

    @property
    def has_failed(self) -> bool:
        """Whether a child could not start."""
        return self._shared[_FAILED] != 0

    def is_stopping(self) -> bool:
        """Return whether the parent is stopping; called by the child."""
        return self._shared[_STOPPING] != 0

    def connect(self) -> None:
        """Connect Celery's signals for the start, work and end of the child, and for the parent's stop."""
        worker_shutting_down.connect(self._stop, weak=False)
        worker_ready.connect(_treat_ctrl_c_as_sigterm, weak=False)
        worker_process_init.connect(self._begin, weak=False)
        worker_process_shutdown.connect(self._end, weak=False)
        self._app.task(self._run, name=TASK)

    def _run(self, lane: str, encoder: str) -> int:
        from worker.pipeline import run_pipeline  # noqa: PLC0415 - imports torch: only after the fork

        tools = self._lanes[-1]
        if Lane.BULK not in tools.lanes:
            return 0
        if not self._yields:
            yield_to_others()
            self._yields = True
        try:
            return run_pipeline(tools, encoder)
        except SoftTimeLimitExceeded:
            # a thread that hangs in a decoder cannot be ended, and every later run would wait for it
            log.error("pipeline_hangs", error="the run took too long; a new child continues without it")
            os._exit(1)

    def _stop(self, **_: Any) -> None:
        """In the parent's signal handler: the child ends its run; a second signal ends both immediately."""
        if self.is_stopping():
            os._exit(1)  # the child dies with its parent, and its leases expire
        self._shared[_STOPPING] = 1
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.alarm(math.ceil(self._settings.stop_s + LATE_S))  # in case the child does not stop by itself

    def _begin(self, **_: Any) -> None:
        die_with_parent()
        if self.has_failed:  # the parent is stopping, and starts children until it has stopped
            sys.exit(1)
        from worker.metrics import serve_metrics  # noqa: PLC0415 - starts a thread: only after the fork
        from worker.parts import parts_of  # noqa: PLC0415 - imports torch: only after the fork
        from worker.probes import keep_probes  # noqa: PLC0415 - imports torch: only after the fork
        from worker.tools import open_tools  # noqa: PLC0415 - imports torch: only after the fork

        try:
            lanes = open_tools(
                self._settings, self._name, self._encoders, self._served, stopping=self.is_stopping
            )
            tools = lanes[-1]
            store = tools.store
            for leased in (store.chunks, store.sources, store.smoothings, store.deliveries, store.erasures):
                leased.expire_leases(self._name)
            keep_probes(tools)
            serve_metrics(self._settings, tools.watch.metrics)
            self._parts = parts_of(lanes, leave=_leave)
            for part in self._parts:
                part.start()
        except ExemplarError as error:
            log.error("worker_cannot_start", code=error.code, error=error.message)
            if error.code in RECORD_REFUSALS:
                self._wait(REFUSED_S)
            self._give_up()
        except Exception as error:  # the boundary of the start: Celery would go on with half a worker
            log.error("worker_cannot_start", code="internal_error", exc_info=error)
            self._give_up()
        self._lanes = lanes
        keep_started()
        log.info("worker_ready", encoders=list(self._encoders), device=tools.device)

    def _end(self, **_: Any) -> None:
        if not self._lanes:
            return
        tools = self._lanes[-1]
        for part in reversed(self._parts):
            part.stop()
        tools.store.chunks.expire_leases(tools.name)
        tools.store.workers.leave(tools.name, tools.owner)
        tools.replicas.save_all()
        tools.watch.tracing.close()

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.is_stopping():
            time.sleep(0.2)

    def _give_up(self) -> None:
        self._shared[_FAILED] = 1
        os.kill(os.getppid(), signal.SIGTERM)  # Celery would restart a dead child for ever
        sys.exit(1)


def _treat_ctrl_c_as_sigterm(**_: Any) -> None:
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGTERM))  # Celery's own ends with exit code 1


def _leave() -> None:
    """End both processes in good order: no lease is held any more."""
    os.kill(os.getppid(), signal.SIGALRM)
