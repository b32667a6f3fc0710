"""The pulse of a worker: signs of life, longer leases, and the sweep that forgets no work."""

from __future__ import annotations

import threading

import structlog

from core.errors import ExemplarError
from store.blobs import uploads_of
from store.store import Store
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")


class Pulse:
    """A thread that beats until it is stopped."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
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
        pause_s = min(self._tools.settings.sweep_s, self._tools.settings.lease_s / 4)
        while not self._stop.wait(pause_s):
            try:
                self._beat()
            except ExemplarError as error:  # the record is away; the leases wait as long as they last
                log.warning("pulse_missed", error=error.message)

    def _beat(self) -> None:
        tools = self._tools
        tools.store.chunks.renew(tools.owner)
        device = next(iter(tools.encoders.values())).device
        tools.store.workers.beat(tools.name, tools.owner, tuple(tools.encoders), device)
        found = tools.store.chunks.sweep()
        if found:
            log.info("leases_ran_out", chunks=found)
        remind(tools.store)
        tidy(tools.store, tools.settings.job_ttl_s)


def remind(store: Store) -> None:
    """Hint again at work that waits while no hint does: Redis may have lost it."""
    for waiting in store.chunks.waiting():
        store.turns.remind(waiting.lane, waiting.encoder)


def tidy(store: Store, job_ttl_s: float) -> None:
    """Remove jobs that ended long ago, with their uploads."""
    for job_id in store.jobs.remove_finished(job_ttl_s):
        store.blobs.remove_folder(uploads_of(job_id))
