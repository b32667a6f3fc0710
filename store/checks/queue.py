"""Checks of queue and workers: Redis answers, and a worker serves the waiting work."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from core.findings import Finding, some_of
from core.jobs import Lane
from core.specs import is_removed, removed
from store.store import Store

LATE_S = 60.0  # workers send wake-ups for waiting work every few seconds


def examine_queue(store: Store) -> Iterator[Finding]:
    """Yield problems of the queue. Raises `queue_unavailable` and `record_unavailable`."""
    store.wake_ups.check()
    policy = store.wake_ups.eviction()
    if policy not in (None, "noeviction"):
        message = f"Redis may drop wake-ups: its maxmemory-policy is {policy}; set it to noeviction"
        yield Finding("queue", "queue_evicts", message, 1)
    for work in store.chunks.waiting():
        if work.oldest_s > LATE_S and store.wake_ups.waiting(work.lane, work.encoder) == 0:
            message = (
                f"{work.items} items of lane {work.lane.value} wait for {work.encoder}, the oldest for "
                f"{work.oldest_s:.0f} s, and no wake-up is queued"
            )
            repair = partial(_wake, store, work.lane, work.encoder)
            yield Finding("queue", "wake_up_missing", message, work.items, repair)


def examine_workers(store: Store) -> Iterator[Finding]:
    """Yield collections and work that no worker can serve. Raises `record_unavailable`."""
    encoders = store.collections.encoders()
    for encoder in sorted(filter(is_removed, set(encoders.values()))):
        names = sorted(name for name, answering in encoders.items() if answering == encoder)
        message = f"{removed(encoder).message} ({some_of(names)})"
        yield Finding("workers", "encoder_removed", message, len(names))
    served = {encoder for worker in store.workers.alive() for encoder in worker.encoders}
    for work in store.chunks.waiting():
        if work.oldest_s > LATE_S and work.encoder not in served and not is_removed(work.encoder):
            message = (
                f"{work.items} items of lane {work.lane.value} wait for {work.encoder} and no worker serves "
                f"it; start one: exemplar worker --encoder {work.encoder}"
            )
            yield Finding("workers", "worker_missing", message, work.items)


def _wake(store: Store, lane: Lane, encoder: str) -> int:
    store.wake_ups.wake_workers(lane, encoder)
    return store.wake_ups.waiting(lane, encoder)
