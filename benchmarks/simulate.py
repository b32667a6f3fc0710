"""The simulation of queue and workers against real runs, and then at sizes that no machine here has.

python -m benchmarks.simulate [--part check,large] [--workers 1,2,4] [--items 2000] [--seconds 20]

`check` runs real worker processes with an encoder that sleeps 25 ms a picture: pictures a second of a bulk
job, and the 95th percentile of what people wait at a third of what the workers can do. The simulation's
times are measured first, in one process, so run it on a quiet machine. `large` takes the times of
docs/capacity.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from benchmarks.bulk_scaling import PICTURE_S, SlowEncoder
from benchmarks.common import DEFAULT, emit, picture
from benchmarks.simulation import Load, Seen, Site, Times, simulate
from core.collections import Rule
from core.jobs import Item, JobKind, JobRequest, Lane
from core.settings import Settings
from index.filtered import FilteredReplicas
from index.replicas import Replicas
from store.blobs import uploads_of
from store.migrate import ensure_schema
from store.store import Store, open_store
from store.work.chunks import Chunks
from store.work.jobs import new_job_id
from worker.activity import Activity, new_owner
from worker.embedding import embed
from worker.load import load
from worker.settling import settle
from worker.tools import Tools

T = TypeVar("T")

SPEC = DEFAULT  # what the sleeping encoder says it is
BATCH = SlowEncoder.batch_size
CHUNK = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--part", default="check,large")
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    if "check" in asked.part:
        times = measure_times()
        emit("simulation_times", **{name: round(getattr(times, name), 6) for name in Times.__slots__})
        for workers in map(int, asked.workers.split(",")):
            check_rate(workers, asked.items, times)
            check_waits(workers, asked.seconds, times)
    if "large" in asked.part:
        large()


def check_rate(workers: int, items: int, times: Times) -> None:
    """A bulk job, really and simulated."""
    with running(workers) as store:
        begun = time.perf_counter()
        job = submit(store, range(items), Lane.BULK)
        await_end(store, [job])
        real = items / (time.perf_counter() - begun)
    seen = simulate(Load(bulk_chunks=items // CHUNK, chunk_items=CHUNK), site(workers), times)
    foretold = seen.items / seen.ended_s
    emit(
        "simulation_rate",
        workers=workers,
        items=items,
        per_s={"real": round(real, 1), "simulated": round(foretold, 1)},
        error=round(foretold / real - 1, 3),
        real_share_of_linear=round(real * PICTURE_S / workers, 3),
    )


def check_waits(workers: int, seconds: float, times: Times) -> None:
    """Pictures that people wait for at random moments, really and simulated."""
    per_s = workers / PICTURE_S / 3
    with running(workers) as store:
        random = np.random.default_rng(workers)
        jobs: list[str] = []
        begun = due = time.perf_counter()
        while due < begun + seconds:
            due += random.exponential(1 / per_s)
            time.sleep(max(0.0, due - time.perf_counter()))
            jobs.append(submit(store, [len(jobs)], Lane.INTERACTIVE))
        await_end(store, jobs)
        found = [store.jobs.get(job) for job in jobs]
        real = [job.finished_at - job.created_at for job in found]
    load = Load(interactive_per_s=len(jobs) / seconds, for_s=seconds)
    seen = [simulate(load, site(workers), times, seed=seed) for seed in range(5)]
    p95 = {"real": p95_ms(real), "simulated": median(p95_ms(one.waits_s) for one in seen)}
    emit(
        "simulation_waits",
        workers=workers,
        per_s=round(len(jobs) / seconds, 1),
        p95_ms={name: round(value, 1) for name, value in p95.items()},
        error=round(p95["simulated"] / p95["real"] - 1, 3),
    )


def large() -> None:
    """Workers by the hundred on one PostgreSQL, and 1,000,000,000 pictures a month."""
    vitb32 = Times(claim_s=0.004, settle_s=0.006, load_s=0.0016, embed_s=0.055, decide_s=0.0003, idle_s=0.02)
    for workers in (10, 100, 300, 1000):
        for transactions in (2, 16):
            where = Site(workers=workers, hosts=workers // 2, batch=CHUNK, transactions=transactions)
            seen = simulate(Load(bulk_chunks=workers * 6), where, vitb32)
            alone = 1 / (vitb32.load_s + vitb32.embed_s + vitb32.decide_s)
            tell_large("bulk", where, seen, share=seen.items / seen.ended_s / alone / workers)
    month = 1_000_000_000 / (30 * 86400)
    for workers, transactions, peak in ((60, 4, 1), (120, 8, 4), (120, 16, 4), (250, 16, 4)):
        where = Site(workers=workers, hosts=workers // 2, batch=CHUNK, transactions=transactions)
        seen = simulate(Load(interactive_per_s=month * peak, for_s=10.0), where, vitb32, limit_s=60.0)
        tell_large("interactive", where, seen, asked_per_s=round(month * peak, 1))


def tell_large(kind: str, where: Site, seen: Seen, **figures: float) -> None:
    emit(
        "simulation_large",
        load=kind,
        workers=where.workers,
        record_transactions_at_once=where.transactions,
        per_s=round(seen.items / seen.ended_s, 1),
        mean_batch=round(seen.items / seen.batches, 1),
        record_busy=round(seen.record_busy_s / seen.ended_s / where.transactions, 3),
        p95_ms=round(p95_ms(seen.waits_s), 1) if seen.waits_s else None,
        **{name: round(value, 3) for name, value in figures.items()},
    )


def measure_times() -> Times:
    """Claim, load, decide and settle in this process, one after the other."""
    spent: dict[str, float] = dict.fromkeys(("claim", "load", "work", "settle"), 0.0)

    def timed(stage: str, step: Callable[[], T]) -> T:
        begun = time.perf_counter()
        result = step()
        spent[stage] += time.perf_counter() - begun
        return result

    with TemporaryDirectory(prefix="exemplar-simulate-") as folder, opened(Path(folder)) as plain:
        encoder, chunks = plain.encoders[SPEC], plain.store.chunks
        settled = TimedSettle(chunks)
        tools = replace(plain, store=replace(plain.store, chunks=settled))
        submit(tools.store, range(20 * CHUNK), Lane.BULK)
        items = batches = 0
        while claimed := timed("claim", lambda: chunks.claim(tools.owner, SPEC, tools.lanes, BATCH)):
            loaded = timed("load", lambda claimed=claimed: load(tools, encoder, claimed))
            seen = embed(tools, encoder, loaded)
            items += timed("work", lambda seen=seen: settle(tools, encoder, seen))
            batches += 1
        return Times(
            claim_s=spent["claim"] / batches,
            settle_s=settled.spent_s / batches,
            load_s=spent["load"] / items,
            embed_s=PICTURE_S,
            decide_s=(spent["work"] - settled.spent_s) / items,
            embeds_on_core=False,
        )


class TimedSettle:
    """The chunks of a record, with a watch on `settle`."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks, self.spent_s = chunks, 0.0

    def __getattr__(self, name: str) -> object:
        return getattr(self._chunks, name)

    def settle(self, owner: str, settlements: Sequence[object]) -> list[bool]:
        begun = time.perf_counter()
        try:
            return self._chunks.settle(owner, settlements)
        finally:
            self.spent_s += time.perf_counter() - begun


def site(workers: int) -> Site:
    return Site(workers=workers, batch=BATCH)


def submit(store: Store, numbers: Sequence[int], lane: Lane) -> str:
    job = new_job_id()
    items = [
        Item(place, store.blobs.put(uploads_of(job), picture(n % 512))) for place, n in enumerate(numbers)
    ]
    store.jobs.submit(job, JobRequest("bench", JobKind.CLASSIFY, lane, items))
    return job


def await_end(store: Store, jobs: Sequence[str]) -> None:
    while len(store.jobs.finished_among(jobs[-500:])) < len(jobs[-500:]):
        time.sleep(0.02)


@contextmanager
def running(workers: int) -> Iterator[Store]:
    """Worker processes with the sleeping encoder, on a record of their own."""
    with TemporaryDirectory(prefix="exemplar-simulate-") as folder:
        store = open_store(_settings(Path(folder)))
        ensure_schema(store.database)
        store.collections.create("bench", SPEC, Rule())
        command = [sys.executable, "-m", "benchmarks.bulk_scaling", folder, ""]
        started = [subprocess.Popen([*command, f"w{n}"], stdout=subprocess.PIPE) for n in range(workers)]
        try:
            for process in started:
                process.stdout.readline()  # it is ready
            yield store
        finally:
            for process in started:
                process.terminate()
                process.wait()


@contextmanager
def opened(folder: Path) -> Iterator[Tools]:
    """A worker's tools with the sleeping encoder."""
    settings = _settings(folder)
    store = open_store(settings)
    ensure_schema(store.database)
    store.collections.create("bench", SPEC, Rule())
    with ThreadPoolExecutor(2) as decoders, ThreadPoolExecutor(1) as loader, ThreadPoolExecutor(1) as settler:
        yield Tools(
            settings=settings,
            name="bench",
            owner=new_owner("bench"),
            lanes=tuple(Lane),
            store=store,
            encoders={SPEC: SlowEncoder()},
            replicas=Replicas(store.supports.changes_since, settings.snapshot_folder),
            filtered=FilteredReplicas(store.supports.changes_since),
            decoders=decoders,
            loader=loader,
            settler=settler,
            activity=Activity(),
        )


def _settings(folder: Path) -> Settings:
    return Settings(data=folder, redis_url="unix:///nothing.sock")


def p95_ms(seconds: Sequence[float]) -> float:
    return float(np.percentile(seconds, 95)) * 1000


if __name__ == "__main__":
    main()
