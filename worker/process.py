"""The worker process: Celery's prefork pool with one child that holds model and replicas."""

from __future__ import annotations

import mmap
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

import structlog
from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from core.errors import ExemplarError
from core.logs import set_up_logs
from core.processes import die_with_parent
from core.settings import Settings
from core.types import Lane
from store.turns import TASK, new_celery, queue_of

log = structlog.get_logger("exemplar.worker")


def run_worker(
    settings: Settings, *, name: str | None, encoders: Sequence[str], lanes: Sequence[Lane]
) -> None:
    """Serve turns until told to stop; ends with exit code 1 where the child could not begin.

    The name must be the worker's own: one that starts under a name ends the leases of its earlier life.
    """
    name = name or socket.gethostname()
    set_up_logs(settings.log_level)
    app = new_celery(settings.redis_url)
    child = _Child(app, settings, name, encoders, lanes)
    child.connect()
    queues = [queue_of(lane, encoder) for lane in lanes for encoder in encoders]
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
    if child.has_failed:
        sys.exit(1)


class _Child:
    """What happens in the pool's child: nothing that starts threads or CUDA may happen before the fork."""

    def __init__(
        self, app: Celery, settings: Settings, name: str, encoders: Sequence[str], lanes: Sequence[Lane]
    ) -> None:
        self._app = app
        self._settings = settings
        self._name = name
        self._encoders = encoders
        self._lanes = lanes
        self._open: Any = None
        self._failed = mmap.mmap(-1, 1)  # shared with the parent

    @property
    def has_failed(self) -> bool:
        """Whether a child could not begin."""
        return self._failed[0] != 0

    def connect(self) -> None:
        """Tell Celery what to do when the child begins, works and ends."""
        worker_process_init.connect(self._begin, weak=False)
        worker_process_shutdown.connect(self._end, weak=False)
        self._app.task(self._turn, name=TASK)

    def _turn(self, lane: str, encoder: str) -> int:
        tools, *_ = self._open
        from worker.turn import take_turn  # noqa: PLC0415 - imports torch: only after the fork

        return take_turn(tools, encoder)

    def _begin(self, **_: Any) -> None:
        die_with_parent()
        if self.has_failed:  # the parent has been asked to stop, and starts children as long as it has not
            sys.exit(1)
        from worker.feed import Feeder  # noqa: PLC0415 - after the fork, as what comes with it
        from worker.postman import Postman  # noqa: PLC0415 - after the fork, as what comes with it
        from worker.probes import keep_probes  # noqa: PLC0415 - imports torch: only after the fork
        from worker.pulse import Pulse  # noqa: PLC0415 - imports torch: only after the fork
        from worker.smoothing import Smoother  # noqa: PLC0415 - after the fork, as what comes with it
        from worker.tools import open_tools  # noqa: PLC0415 - imports torch: only after the fork

        try:
            tools = open_tools(self._settings, self._name, self._encoders, self._lanes)
            tools.store.chunks.expire(self._name)
            tools.store.sources.expire(self._name)
            tools.store.smoothings.expire(self._name)
            tools.store.deliveries.expire(self._name)
            keep_probes(tools)
            pulse = Pulse(tools)
            pulse.start()
            feeder = Feeder(tools.store, self._settings, tools.owner, tools.feeding)
            smoother = Smoother(tools.store, self._settings, tools.owner)
            if Lane.BULK in self._lanes:
                feeder.start()
                smoother.start()
            postman = Postman(tools.store.deliveries, self._settings, tools.owner)
            postman.start()
        except ExemplarError as error:
            log.error("worker_cannot_start", code=error.code, error=error.message)
            self._give_up()
        except Exception as error:  # the boundary of the start: Celery would go on with half a worker
            log.error("worker_cannot_start", code="internal_error", exc_info=error)
            self._give_up()
        self._open = tools, pulse, feeder, smoother, postman
        log.info("worker_ready", worker=self._name, encoders=list(self._encoders))

    def _end(self, **_: Any) -> None:
        if self._open is None:
            return
        tools, pulse, feeder, smoother, postman = self._open
        postman.stop()
        smoother.stop()
        feeder.stop()
        pulse.stop()
        tools.store.chunks.expire(tools.name)
        tools.store.workers.leave(tools.name, tools.owner)
        tools.replicas.save_all()

    def _give_up(self) -> None:
        self._failed[0] = 1
        os.kill(os.getppid(), signal.SIGTERM)  # a child that dies would be started again for ever
        sys.exit(1)
