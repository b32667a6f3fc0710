"""The sweep, run by one of all workers: expired leases, lost wake-ups, and what was left behind."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from core.settings import Settings
from core.specs import is_removed, removed
from store.blobs import uploads_of
from store.checks.blobs import remove_orphaned_uploads, remove_unused
from store.record.live_answers import MOST_SUMMED
from store.store import Store
from store.waits import what_waits
from store.work.chunks import Waiting
from worker.metrics import Metrics

log = structlog.get_logger("exemplar.worker")

REMAINS_S = 30.0  # between two checks for jobs and collections to be deleted
UPLOADS_S = 3600.0  # between two checks for uploads without a job
HISTORY_S = 3600.0  # between two checks for history to be erased
DAY_S = 86400.0
COUNTS_KEPT_S = 400 * 86_400.0  # of live answers: a year can be compared with the one before


class Sweep:
    """The steps of a sweep, some run at every beat and some less often."""

    def __init__(self, store: Store, metrics: Metrics, settings: Settings) -> None:
        self._store = store
        self._metrics = metrics
        self._job_ttl_s = settings.job_ttl_s
        self._keep_s = settings.history_days * DAY_S
        self._remains_at = self._history_at = 0.0
        self._uploads_at = time.monotonic() + UPLOADS_S

    def run(self) -> None:
        """Sweep once."""
        waits = what_waits(self._store)
        expired = self._store.chunks.sweep() if waits.lost else 0
        self._metrics.sweeps.inc()
        self._metrics.leases_expired.inc(expired)
        if expired:
            log.info("leases_expired", chunks=expired)
            waits = what_waits(self._store)
        end_removed(self._store, waits.work)
        wake_workers(self._store, waits.work)
        for part in sorted(waits.parts):
            self._store.wake_ups.send_to(part)
        if time.monotonic() >= self._remains_at:
            self._remains_at = time.monotonic() + REMAINS_S
            self._store.imports.sweep()
            remove_old_jobs(self._store, self._job_ttl_s)
            sum_answers(self._store)
        if time.monotonic() >= self._uploads_at:
            self._uploads_at = time.monotonic() + UPLOADS_S
            remove_orphaned_uploads(self._store)
            self._store.live_answers.remove_old(COUNTS_KEPT_S)
        if time.monotonic() >= self._history_at:
            self._history_at = time.monotonic() + HISTORY_S
            erase_history(self._store, self._keep_s)


def erase_history(store: Store, keep_s: float) -> int:
    """Erase what collections were so long ago, with pictures that no support needs; return how many files.

    Pictures of work that waits, or may be retried, stay until they are orphans (`exemplar doctor`).
    """
    removed = 0
    for pictures, thumbnails in store.retention.erase_older(keep_s):
        removed += remove_unused(store, pictures, thumbnails)
    return removed


def sum_answers(store: Store) -> None:
    """Sum the counts of live answers by hour."""
    while store.live_answers.sum() >= MOST_SUMMED:
        pass


def wake_workers(store: Store, waiting: Sequence[Waiting]) -> None:
    """Send a wake-up again for each worker that can take waiting work: Redis may have lost the first."""
    workers = store.workers.alive() if waiting else []
    for work in waiting:
        able = sum(work.encoder in worker.encoders and work.lane in worker.lanes for worker in workers)
        store.wake_ups.wake_workers(work.lane, work.encoder, workers=max(1, min(able, work.chunks)))


def end_removed(store: Store, waiting: Sequence[Waiting]) -> None:
    """Fail the work of removed encoders, which no worker will ever serve."""
    for encoder in sorted({work.encoder for work in waiting if is_removed(work.encoder)}):
        error = removed(encoder)
        chunks = store.chunks.end_queued(encoder, error)
        log.warning("encoder_removed", encoder=encoder, chunks=chunks, error=error.message)


def remove_old_jobs(store: Store, job_ttl_s: float) -> None:
    """Delete jobs that ended long ago, with their uploads."""
    # uploads left here are found by `remove_orphaned_uploads`
    for job_id in store.jobs.remove_old(job_ttl_s):
        store.blobs.remove_folder(uploads_of(job_id))
