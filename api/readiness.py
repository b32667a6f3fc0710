"""Readiness: whether record, disk, blobs, queue and workers can do their work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from core.errors import ExemplarError
from core.settings import Settings
from runtime.files import disk_room
from store.migrate import check_schema
from store.store import Store
from store.work.chunks import Waiting
from store.work.workers import Worker

log = structlog.get_logger("exemplar.api")

UNSERVED_S = 15.0  # tolerated, since a worker may be restarting


class Readiness:
    """Checks each dependency of the service, and logs changes since the last check."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._found: dict[str, str] = {}

    def check(self) -> dict[str, str]:
        """Return `ok`, or an error code, by dependency."""
        store, stall_s = self._store, self._settings.stall_s
        return {
            "record": self._ask("record", self._check_record),
            "disk": self._ask("disk", self._check_disk),
            "blobs": self._ask("blobs", store.blobs.check),
            "queue": self._ask("queue", store.wake_ups.check),
            "workers": self._ask(
                "workers", lambda: check_workers(store.workers.alive(), store.chunks.waiting(), stall_s)
            ),
        }

    def _check_record(self) -> None:
        check_schema(self._store.database)
        self._store.chunks.waiting()  # the schema version alone does not prove that the tables exist

    def _check_disk(self) -> None:
        free, _ = disk_room(self._settings.data)
        if free < self._settings.min_free_bytes:
            raise ExemplarError(
                "disk_full",
                f"expected {self._settings.min_free_bytes} free bytes on the data folder's disk, got {free}",
            )

    def _ask(self, what: str, probe: Callable[[], object]) -> str:
        found, detail = "ok", ""
        try:
            probe()
        except ExemplarError as error:
            found, detail = error.code, error.message
        except Exception as error:  # the boundary of the probe: any error means not ready
            log.error("probe_failed", exc_info=error)
            found, detail = "internal_error", type(error).__name__
        if found != self._found.get(what, "ok"):
            (log.info if found == "ok" else log.warning)("readiness", what=what, found=found, error=detail)
        self._found[what] = found
        return found


def check_workers(alive: Sequence[Worker], waiting: Sequence[Waiting], stall_s: float) -> None:
    """Raise `no_worker`, `work_unserved` if no live worker serves waiting work, or `work_stalled`.

    The last means that work waits while all workers that serve it have neither claimed nor settled any for
    `stall_s`, even if their heartbeats are recent.
    """
    if not alive:
        raise ExemplarError("no_worker", "no worker has a recent heartbeat")
    for work in waiting:
        serving = [one for one in alive if work.encoder in one.encoders and work.lane in one.lanes]
        if not serving and work.oldest_s > UNSERVED_S:
            raise ExemplarError(
                "work_unserved", f"{work.lane} work waits for {work.encoder} and no worker serves it"
            )
        if serving and work.oldest_s > stall_s and min(one.idle_s for one in serving) > stall_s:
            raise ExemplarError(
                "work_stalled", f"{work.lane} work waits for {work.encoder} and no worker makes progress"
            )
