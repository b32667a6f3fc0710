"""The store as one thing: opened once per process and passed to whoever needs it."""

from __future__ import annotations

from dataclasses import dataclass

from core.settings import Settings
from store.blobs import Blobs
from store.chunks import Chunks
from store.classes import Classes
from store.collections import Collections
from store.control import Control
from store.database import Database
from store.deliveries import Deliveries
from store.export import Exports
from store.fetches import Fetches
from store.imports import Imports
from store.jobs import Jobs
from store.keys import Keys
from store.probes import Probes
from store.reindex import Reindexes
from store.smoothing import Smoothings
from store.sources import Sources
from store.supports import Supports
from store.texts import Texts
from store.turns import Turns
from store.workers import Workers


@dataclass(frozen=True, slots=True)
class Store:
    """The record by its nouns, the blobs and the turns."""

    database: Database
    collections: Collections
    classes: Classes
    supports: Supports
    texts: Texts
    jobs: Jobs
    control: Control
    sources: Sources
    smoothings: Smoothings
    reindexes: Reindexes
    probes: Probes
    exports: Exports
    imports: Imports
    chunks: Chunks
    fetches: Fetches
    deliveries: Deliveries
    workers: Workers
    keys: Keys
    blobs: Blobs
    turns: Turns


def open_store(settings: Settings) -> Store:
    """Open the store that the settings name; connections are made at first use."""
    database = Database(settings.record_url)
    jobs = Jobs(
        database,
        chunk_items=settings.chunk_items,
        max_queued_items=settings.max_queued_items,
        max_sources=settings.bulk_max_jobs,
    )
    return Store(
        database=database,
        collections=Collections(database),
        classes=Classes(database),
        supports=Supports(database),
        texts=Texts(database),
        jobs=jobs,
        probes=Probes(database),
        exports=Exports(database),
        imports=Imports(database, jobs),
        control=Control(database),
        sources=Sources(database, lease_s=settings.lease_s, chunk_items=settings.chunk_items),
        smoothings=Smoothings(database, lease_s=settings.lease_s),
        reindexes=Reindexes(
            database, chunk_items=settings.chunk_items, window_items=settings.bulk_window_items
        ),
        chunks=Chunks(database, lease_s=settings.lease_s, max_attempts=settings.max_attempts),
        fetches=Fetches(database, lease_s=settings.lease_s),
        deliveries=Deliveries(database),
        workers=Workers(database),
        keys=Keys(database),
        blobs=Blobs(settings.blob_root),
        turns=Turns(settings.redis_url, database.name),
    )
