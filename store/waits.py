"""What waits for a worker, seen in one transaction by the sweep."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from store.queue.wake_ups import FETCHES, Part
from store.store import Store
from store.work.chunks import Waiting


@dataclass(frozen=True, slots=True)
class Waits:
    """Queued work, the loops with something to do, and whether chunks were lost with their worker."""

    work: Sequence[Waiting]
    parts: Collection[Part]
    lost: bool


def what_waits(store: Store) -> Waits:
    """Return what waits now. Raises `record_unavailable`."""
    with store.database.read() as connection:
        loops = {
            Part.SOURCES: (store.sources.waits, store.reindexes.waits),
            Part.SMOOTHING: (store.smoothings.waits,),
            Part.WEBHOOKS: (store.deliveries.waits,),
            Part.ERASURES: (store.erasures.waits,),
        }
        parts = {part for part, waits in loops.items() if any(each(connection) for each in waits)}
        parts |= {FETCHES[lane] for lane in store.fetches.waiting_lanes(connection)}
        return Waits(store.chunks.waiting_within(connection), parts, store.chunks.is_any_lost(connection))
