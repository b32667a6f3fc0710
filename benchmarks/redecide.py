"""What deciding again costs: items a second, and bytes that an item adds to the record; and what groups cost.

python -m benchmarks.redecide [--items 1000,10000,100000] [--unknown 10000] [--databases sqlite,postgres]

A worker's own pipeline in this process, one thread: synthetic vectors of 1,280 components are enrolled,
answered, settled and kept as an encoder's would be; then the other half of the classes is enrolled, and all
is decided again. JSON lines.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import structlog
from sqlalchemy import func, select

from benchmarks.common import DEFAULT, emit
from benchmarks.record_speed import record, size_bytes
from core.collections import Rule
from core.jobs import Chunk, Item, JobKind, JobRequest, Lane
from core.settings import Settings
from core.vectors import Vectors
from encoders import Encoder
from encoders.threads import use_threads
from index.devices import use_search_threads
from index.filtered import FilteredReplicas
from index.replicas import Replicas
from store import tables as t
from store.migrate import ensure_schema
from store.queue.wake_ups import WakeUps
from store.store import open_store
from store.work.jobs import new_job_id
from worker.activity import Activity, new_owner
from worker.embedding import Embedded
from worker.load import Loaded
from worker.pipeline import run_pipeline
from worker.settling import settle
from worker.tools import Tools

CLASSES, SHOTS, DIM = 100, 10, 1280
NOISE = 0.03  # a component; the cosine of two pictures of one class is about 0.47
AT_ONCE = 1024  # items answered together


class Synthetic:
    """What the pipeline asks of an encoder whose vectors are there already."""

    spec, identity, device = DEFAULT, "synthetic", "cpu"
    batch_size, dim, draft_side, has_text = 16, DIM, 64, False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", default="1000,10000,100000")
    parser.add_argument("--unknown", default="10000")
    parser.add_argument("--databases", default="sqlite")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    use_threads(1)
    use_search_threads(1)
    for name in asked.databases.split(","):
        for items in filter(None, asked.items.split(",")):
            with record(name) as settings, tools_of(settings) as tools:
                redecide(name, tools, int(items))
        for items in filter(None, asked.unknown.split(",")):
            with record(name) as settings, tools_of(settings) as tools:
                groups(name, tools, int(items))


def redecide(database: str, tools: Tools, items: int) -> None:
    """Answer so many items with half of the classes, and again with all of them."""
    store = tools.store
    vectors, _ = synthetic(items)
    enrol(tools, range(CLASSES // 2))
    before = size_bytes(store)
    job, _ = answer(tools, vectors)
    classified = size_bytes(store)
    with store.database.read() as connection:
        kept = connection.execute(select(func.sum(func.length(t.item_vectors.c.vectors)))).scalar_one()
    enrol(tools, range(CLASSES // 2, CLASSES))
    enrolled = size_bytes(store)
    cpu_begun = time.process_time()
    submit_s, again_s, tried = again(tools, job, items)
    cpu_s = time.process_time() - cpu_begun
    decided = size_bytes(store)
    with store.database.read() as connection:
        past = connection.execute(select(func.sum(func.length(t.past_results.c.results)))).scalar_one()
    found = store.jobs.tally(tried)
    emit(
        "redecide",
        database=database,
        items=items,
        components=DIM,
        supports=CLASSES * SHOTS,
        changed=found["outcomes"].get("changed", 0),
        submit_s=round(submit_s, 2),
        redecide_s=round(again_s, 2),
        items_per_s=round(items / again_s),
        items_per_cpu_s=round(items / cpu_s),
        vector_bytes_per_item=round(kept / items),
        record_bytes_per_item_classified=round((classified - before) / items),
        past_result_bytes_per_item=round(past / items),
        record_bytes_per_item_redecided=round((decided - enrolled) / items),
    )


def groups(database: str, tools: Tools, items: int) -> None:
    """Group so many items of a job in which all are unknown."""
    vectors, numbers = synthetic(items, classes=300)
    job, _ = answer(tools, vectors)
    before_mb = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    asked = JobRequest(
        "bench", JobKind.GROUP, Lane.INTERACTIVE, [Item(0)], target=job, options={"max_groups": 256}
    )
    begun = time.perf_counter()
    grouping = new_job_id()
    tools.store.jobs.submit(grouping, asked)
    work(tools)
    took_s = time.perf_counter() - begun
    found = tools.store.jobs.results(grouping, limit=256).results
    pure = sum(int(np.bincount(numbers[group["items"]]).max()) for group in found)
    emit(
        "groups_of_unknown",
        database=database,
        items=items,
        components=DIM,
        groups=len(found),
        grouped=sum(group["size"] for group in found),
        of_the_groups_main_class=pure,
        groups_s=round(took_s, 2),
        more_peak_memory_mb=memory_mb("VmHWM") - before_mb,
    )


def memory_mb(name: str) -> int:
    """Return a line of this process's status: what it has now (`VmRSS`), or had at most (`VmHWM`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name))


def again(tools: Tools, job: str, items: int) -> tuple[float, float, str]:
    """Decide a job again; return the seconds to submit that and to do it, and its job."""
    asked = JobRequest(
        "bench", JobKind.REDECIDE, Lane.BULK, [Item(n) for n in range(items)], target=job,
        options={"dry_run": False},
    )  # fmt: skip
    begun = time.perf_counter()
    redecision = new_job_id()
    tools.store.jobs.submit(redecision, asked)
    submitted = time.perf_counter()
    work(tools)
    return submitted - begun, time.perf_counter() - submitted, redecision


def synthetic(items: int, *, classes: int = CLASSES, seed: int = 1) -> tuple[Vectors, np.ndarray]:
    """Return unit vectors around the centres of classes, and each one's class."""
    random = np.random.default_rng(seed)
    numbers = random.integers(0, classes, items)
    return near(numbers, random), numbers


def near(numbers: np.ndarray, random: np.random.Generator) -> Vectors:
    centres = np.random.default_rng(0).normal(size=(300, DIM))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    found = centres[numbers].astype(np.float32)
    found += NOISE * random.standard_normal(size=found.shape, dtype=np.float32)
    return cast(Vectors, found / np.linalg.norm(found, axis=1, keepdims=True))


def enrol(tools: Tools, classes: Sequence[int]) -> None:
    numbers = np.repeat(np.array(classes), SHOTS)
    vectors = near(numbers, np.random.default_rng(2))
    items = [Item(n, f"{number:032x}{n:032x}", f"class {number}") for n, number in enumerate(numbers)]
    submit_and_settle(tools, JobKind.ENROLL, items, vectors)


def answer(tools: Tools, vectors: Vectors) -> tuple[str, float]:
    """Classify pictures with these vectors; return the job and the seconds of that."""
    items = [Item(n, f"{n:064x}", custom_id=f"album/{n:06}.jpg") for n in range(len(vectors))]
    begun = time.perf_counter()
    return submit_and_settle(tools, JobKind.CLASSIFY, items, vectors), time.perf_counter() - begun


def submit_and_settle(tools: Tools, kind: JobKind, items: Sequence[Item], vectors: Vectors) -> str:
    """Submit a job, and settle its chunks as if an encoder had made these vectors."""
    job = new_job_id()
    tools.store.jobs.submit(job, JobRequest("bench", kind, Lane.BULK, items))
    encoder = tools.encoders[DEFAULT]
    while chunks := tools.store.chunks.claim(tools.owner, DEFAULT, tools.lanes, AT_ONCE):
        settle(tools, encoder, [(chunk, embedded(chunk, vectors)) for chunk in chunks])
    return job


def embedded(chunk: Chunk, vectors: Vectors) -> list[Embedded]:
    return [Embedded(Loaded(item, None, "", 0.0, None), vectors[item.index], 0.0) for item in chunk.items]


def work(tools: Tools) -> None:
    while run_pipeline(tools, DEFAULT):
        pass


class NoWakeUps:
    """Nobody needs to be woken here."""

    def send(self, *_: Any) -> None: ...


@contextmanager
def tools_of(settings: Settings) -> Iterator[Tools]:
    """The tools of a worker in this process."""
    opened = open_store(settings)
    ensure_schema(opened.database)
    store = replace(opened, wake_ups=cast(WakeUps, NoWakeUps()))
    store.collections.create("bench", DEFAULT, Rule())
    with ThreadPoolExecutor(1) as decoders, ThreadPoolExecutor(1) as loader, ThreadPoolExecutor(1) as settler:
        settler.submit(use_search_threads, 1).result()
        yield Tools(
            settings=settings.model_copy(update={"claim_s": 3600.0}),
            name="w",
            owner=new_owner("w"),
            lanes=tuple(Lane),
            store=store,
            encoders={DEFAULT: cast(Encoder, Synthetic())},
            replicas=Replicas(store.supports.changes_since, settings.snapshot_folder, gpu=False),
            filtered=FilteredReplicas(store.supports.changes_since),
            decoders=decoders,
            loader=loader,
            settler=settler,
            activity=Activity(),
        )
    store.database.close()


if __name__ == "__main__":
    main()
