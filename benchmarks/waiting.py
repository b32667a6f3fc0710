"""What workers that idle and callers that wait cost the record, and how soon they notice.

python -m benchmarks.waiting [--workers 0,1,100] [--callers 1,1000] [--seconds 60]

All threads of so many workers, with an encoder that is never asked, on one PostgreSQL and one Redis, in this
process; then so many callers that wait for jobs, of which some end. Transactions are counted by PostgreSQL,
statements by the engine. The last lines are the same with Redis killed: everything still happens, by asking.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from sqlalchemy import event, make_url

from api.wait import JobWatch
from benchmarks.bulk_scaling import SlowEncoder
from benchmarks.common import DEFAULT, emit, picture
from benchmarks.faults.postgres import Postgres
from cli.stack import redis_command
from core.collections import Rule
from core.jobs import Item, JobKind, JobRequest, Lane
from core.settings import Settings
from index.filtered import FilteredReplicas
from index.replicas import Replicas
from runtime.logs import set_up_logs
from store.blobs import uploads_of
from store.migrate import ensure_schema
from store.store import Store, open_store
from store.work.jobs import new_job_id
from worker.activity import Activity, new_owner
from worker.loops import LoopPart
from worker.parts import parts_of
from worker.tools import Tools

ENDED = 20  # jobs whose end is timed
SETTLE_S = 5.0  # until everything that is started has begun to wait


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=_numbers, default=[0, 1, 100])
    parser.add_argument("--callers", type=_numbers, default=[1, 1000])
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    set_up_logs("ERROR")
    with (
        tempfile.TemporaryDirectory(prefix="exemplar-waiting-") as folder,
        closing(Postgres()) as server,
        server.database() as url,
        _redis(Path(folder)) as (redis_url, kill_redis),
    ):
        settings = Settings(data=Path(folder), database_url=url, redis_url=redis_url)
        store = open_store(settings)
        ensure_schema(store.database)
        store.collections.create("bench", DEFAULT, Rule())
        counter = _Counter(store, url)
        for workers in asked.workers:
            with _working(settings, store, workers):
                emit("waiting", workers=workers, **_each(counter.during(asked.seconds), workers))
        for callers in asked.callers:
            emit("waiting", callers=callers, **_callers(settings, store, counter, callers, asked.seconds))
        with _working(settings, store, 2):
            emit("waiting", redis="there", workers=2, until_claimed_s=_until_claimed(store))
            kill_redis()
            emit("waiting", redis="killed", workers=2, until_claimed_s=_until_claimed(store))
        emit("waiting", redis="killed", callers=100, **_callers(settings, store, counter, 100, 10.0))


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


class _Counter:
    """Counts the record's transactions and statements."""

    def __init__(self, store: Store, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._statements = 0
        event.listen(store.database.engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self._statements += 1

    def during(self, seconds: float) -> dict[str, float]:
        """Return what happened in a second, on average."""
        time.sleep(SETTLE_S)
        transactions, statements, cpu = self._transactions(), self._statements, time.process_time()
        time.sleep(seconds)
        return {
            "transactions_per_s": (self._transactions() - transactions) / seconds,
            "statements_per_s": (self._statements - statements) / seconds,
            "cpu_s_per_s": (time.process_time() - cpu) / seconds,
        }

    def _transactions(self) -> int:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("SELECT pg_stat_force_next_flush()")
            row = connection.execute(
                "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
            ).fetchone()
        return int(row[0])


def _each(found: dict[str, float], count: int) -> dict[str, float]:
    each = {f"{name}_each": round(value / max(count, 1), 3) for name, value in found.items()}
    return {name: round(value, 3) for name, value in found.items()} | each


@contextmanager
def _redis(folder: Path) -> Iterator[tuple[str, object]]:
    socket = folder / "redis.sock"
    process = subprocess.Popen(redis_command(folder, socket), stdout=subprocess.DEVNULL)
    while not socket.exists():
        time.sleep(0.02)
    try:
        yield f"unix://{socket}", process.kill
    finally:
        process.kill()
        process.wait()


@contextmanager
def _working(settings: Settings, store: Store, count: int) -> Iterator[None]:
    """Run the threads of so many workers, without Celery's, which waits in Redis only."""
    parts: list[LoopPart] = []
    with ThreadPoolExecutor(4) as pool:
        for number in range(count):
            bulk = Tools(
                settings=settings,
                name=f"w{number}",
                owner=new_owner(f"w{number}"),
                lanes=(Lane.BULK,),
                store=store,
                encoders={DEFAULT: SlowEncoder()},
                replicas=Replicas(store.supports.changes_since, settings.snapshot_folder),
                filtered=FilteredReplicas(store.supports.changes_since),
                decoders=pool,
                loader=ThreadPoolExecutor(1),
                settler=ThreadPoolExecutor(1),
                activity=Activity(),
            )
            interactive = replace(
                bulk,
                lanes=(Lane.INTERACTIVE,),
                loader=ThreadPoolExecutor(1),
                settler=ThreadPoolExecutor(1),
                activity=Activity(),
            )
            parts += parts_of([interactive, bulk], leave=lambda: None)
        for part in parts:
            part.start()
        try:
            yield
        finally:
            for part in reversed(parts):
                part.stop()


def _submit(store: Store) -> str:
    job = new_job_id()
    items = [Item(0, store.blobs.put(uploads_of(job), picture(0)))]
    request = JobRequest("bench", JobKind.CLASSIFY, Lane.INTERACTIVE, items)
    submitted = store.jobs.submit(job, request)
    store.wake_ups.send(Lane.INTERACTIVE, submitted.encoder)
    return job


def _until_claimed(store: Store) -> dict[str, float]:
    """Return the seconds from a submission to its claim by a worker."""
    took = []
    for _ in range(ENDED):
        job, begun = _submit(store), time.perf_counter()
        while store.jobs.get(job).started_at is None:
            time.sleep(0.005)
        took.append(time.perf_counter() - begun)
        time.sleep(0.3)
    return {"p50": round(statistics.median(took), 3), "max": round(max(took), 3)}


def _callers(
    settings: Settings, store: Store, counter: _Counter, count: int, seconds: float
) -> dict[str, object]:
    """Let callers wait for jobs of which only some end; return the cost, and seconds to notice an end."""
    watch = JobWatch(store.jobs.finished_among, places=count, redis_url=settings.redis_url)
    jobs = [_submit_apart(store) for _ in range(count)]
    noticed: dict[str, float] = {}

    def wait(job: str) -> None:
        if watch.wait(job, 600):
            noticed[job] = time.perf_counter()

    threads = [threading.Thread(target=wait, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    cost = counter.during(seconds)
    took = [_end(store, job, noticed) for job in jobs[:ENDED]]
    watch.end()
    for thread in threads:
        thread.join()
    for job in jobs[ENDED:]:
        store.control.cancel(job)
    store.jobs.remove(jobs)
    return _each(cost, count) | {
        "until_noticed_s": {"p50": round(statistics.median(took), 4), "max": round(max(took), 4)}
    }


def _submit_apart(store: Store) -> str:
    """Submit a job that no worker is told of."""
    job = new_job_id()
    store.jobs.submit(job, JobRequest("bench", JobKind.CLASSIFY, Lane.INTERACTIVE, [Item(0, "0" * 64)]))
    return job


def _end(store: Store, job: str, noticed: dict[str, float]) -> float:
    store.control.cancel(job)
    begun = time.perf_counter()
    store.wake_ups.tell_ended([job])
    while job not in noticed:
        time.sleep(0.001)
    return noticed[job] - begun


if __name__ == "__main__":
    main()
