"""The store: the record, blobs and wake-ups, opened once per process and passed to its users."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.settings import Settings
from store.blobs import Blobs
from store.database import Database
from store.erasure.erasures import Erasures
from store.queue.wake_ups import Part, WakeUps
from store.record.audit_log import AuditLog
from store.record.classes import Classes
from store.record.collections import Collections
from store.record.differences import Differences
from store.record.export import Exports
from store.record.history import History
from store.record.imports import Imports
from store.record.keys import Keys
from store.record.live_answers import LiveAnswers
from store.record.probes import Probes
from store.record.quarantine import Quarantine
from store.record.retention import Retention
from store.record.snapshot_marks import SnapshotMarks
from store.record.supports import Supports
from store.record.texts import Texts
from store.record.version_names import VersionNames
from store.reindex.reindexes import Reindexes
from store.work.chunks import Chunks
from store.work.control import Control
from store.work.deliveries import Deliveries
from store.work.fetches import Fetches
from store.work.item_vectors import ItemVectors
from store.work.jobs import Jobs
from store.work.orders import Orders
from store.work.reviews import Reviews
from store.work.smoothing import Smoothings
from store.work.sources import Sources
from store.work.workers import Workers


@dataclass(frozen=True, slots=True)
class Store:
    """The parts of the record, the blobs and the wake-ups."""

    database: Database
    collections: Collections
    classes: Classes
    supports: Supports
    texts: Texts
    snapshot_marks: SnapshotMarks
    jobs: Jobs
    reviews: Reviews
    orders: Orders
    item_vectors: ItemVectors
    control: Control
    sources: Sources
    smoothings: Smoothings
    reindexes: Reindexes
    probes: Probes
    exports: Exports
    imports: Imports
    history: History
    differences: Differences
    retention: Retention
    chunks: Chunks
    fetches: Fetches
    deliveries: Deliveries
    workers: Workers
    keys: Keys
    live_answers: LiveAnswers
    erasures: Erasures
    quarantine: Quarantine
    version_names: VersionNames
    audit: AuditLog
    blobs: Blobs
    wake_ups: WakeUps


def open_store(settings: Settings) -> Store:
    """Open the store that the settings name; connections are made at first use."""
    database = Database(settings.record_url, history=settings.history_days > 0)
    jobs = Jobs(
        database,
        chunk_items=settings.chunk_items,
        max_queued_items=settings.max_queued_items,
        max_sources=settings.bulk_max_jobs,
    )
    wake_ups = WakeUps(settings.redis_url, database.name)

    def tell(job_ids: Collection[str], has_webhook: bool) -> None:
        wake_ups.tell_ended(job_ids)
        if has_webhook:
            wake_ups.send_to(Part.WEBHOOKS)

    return Store(
        database=database,
        collections=Collections(database),
        classes=Classes(database),
        supports=Supports(database),
        snapshot_marks=SnapshotMarks(database),
        texts=Texts(database),
        jobs=jobs,
        reviews=Reviews(database, jobs),
        orders=Orders(database),
        item_vectors=ItemVectors(database),
        probes=Probes(database),
        exports=Exports(database),
        imports=Imports(database, jobs),
        history=History(database),
        differences=Differences(database),
        retention=Retention(database),
        control=Control(database),
        sources=Sources(database, lease_s=settings.lease_s, chunk_items=settings.chunk_items),
        smoothings=Smoothings(database, lease_s=settings.lease_s),
        reindexes=Reindexes(
            database, chunk_items=settings.chunk_items, window_items=settings.bulk_window_items
        ),
        chunks=Chunks(database, lease_s=settings.lease_s, max_attempts=settings.max_attempts, on_ended=tell),
        fetches=Fetches(database, lease_s=settings.lease_s),
        deliveries=Deliveries(database),
        workers=Workers(database),
        keys=Keys(database),
        live_answers=LiveAnswers(database),
        quarantine=Quarantine(database),
        version_names=VersionNames(database),
        audit=AuditLog(database),
        erasures=Erasures(database, lease_s=settings.lease_s),
        blobs=Blobs(settings.blob_root),
        wake_ups=wake_ups,
    )
