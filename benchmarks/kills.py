"""kill -9 of workers, again and again, while items are worked on: what is lost, what is done twice.

python -m benchmarks.kills
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import func, select

from benchmarks.common import emit, percentiles, picture, service
from cli.stack import Stack
from core.settings import Settings
from store import tables as t
from store.database import Database

WORKERS = 2
PER_JOB = 250
BACKLOG = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=2000, help="at the least")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with service(workers=WORKERS, lease_s="5", chunk_items="16") as stack:
        _run(stack, arguments.items, arguments.kills, random.Random(arguments.seed))


def _run(stack: Stack, items: int, kills: int, chance: random.Random) -> None:
    database = Database(Settings(data=Path(stack.environment["EXEMPLAR_DATA"])).record_url)
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        http.post("/v1/collections", json={"name": "bench"}).raise_for_status()
        begun = time.perf_counter()
        jobs: list[str] = []
        wounds: list[Wound] = []
        while len(wounds) < kills:
            # callers go on submitting, so that there is always work to be killed at
            while len(jobs) * PER_JOB - _ready(database) < BACKLOG:
                jobs.append(_submit(http, len(jobs) * PER_JOB))
            if wound := _kill_one(stack, database, chance, wounds):
                wounds.append(wound)
                print(f"kill {len(wounds)}, {_ready(database)} items ready", file=sys.stderr)
        while len(jobs) * PER_JOB < items:
            jobs.append(_submit(http, len(jobs) * PER_JOB))
        items = len(jobs) * PER_JOB
        during = _ready(database)
        while not all(_job(http, job)["finished_at"] for job in jobs):
            stack.restart_dead()
            time.sleep(0.2)
        all_done_s = time.perf_counter() - wounds[-1].at
        took_s = time.perf_counter() - begun
        results = [result for job in jobs for result in _results(http, job)]
        supports = http.get("/v1/collections/bench").json()["supports"]
    outcomes = Counter(result["status"] for result in results)
    enrolled = sum("support_id" in result for result in results)
    with database.read() as connection:
        pictures = connection.execute(
            select(t.support.c.picture).where(t.support.c.class_id.is_not(None))
        ).scalars()
        doubled = [picture for picture, times in Counter(pictures).items() if times > 1]
    emit(
        "kill_9_of_workers",
        items=items,
        kills=kills,
        workers=WORKERS,
        items_done=outcomes["done"],
        items_failed=outcomes["failed"],
        items_lost=items - len(results),
        effects_doubled=len(doubled) + abs(supports - enrolled),
        ready_when_the_last_kill_came=during,
        killed_to_next_claim_of_that_worker_s=percentiles(
            [wound.back_s for wound in wounds if not math.isnan(wound.back_s)]
        ),
        last_kill_to_all_settled_s=round(all_done_s, 1),
        took_s=round(took_s, 1),
    )


def _submit(http: httpx.Client, start: int) -> str:
    """Submit pictures; every second job enrols, so that a doubled effect would show."""
    files = [("image", (f"{n}.png", picture(n))) for n in range(start, start + PER_JOB)]
    kind = "enroll" if start // PER_JOB % 2 == 0 else "classify"
    response = http.post(f"/v1/collections/bench/{kind}", data={"label": f"label {start}"}, files=files)
    response.raise_for_status()
    return response.json()["links"]["self"]


@dataclass
class Wound:
    """A worker killed at a time with what it held, and how long it took until it was back at work."""

    worker: str
    owners: set[str]
    at: float
    back_s: float = math.nan


def _kill_one(stack: Stack, database: Database, chance: random.Random, wounds: list[Wound]) -> Wound | None:
    """Kill a worker that holds chunks, with its child; None where none does for five seconds."""
    dead = {owner for wound in wounds for owner in wound.owners}
    until = time.monotonic() + 5
    while time.monotonic() < until:
        stack.restart_dead()
        for owner in _owners(database) - dead:
            worker = owner.partition(":")[0]
            for wound in wounds:
                if wound.worker == worker and math.isnan(wound.back_s):
                    wound.back_s = time.perf_counter() - wound.at
            time.sleep(chance.uniform(0, 1.0))
            if not any(one.startswith(f"{worker}:") for one in _owners(database)):
                continue  # it has nothing in its hands any more
            family = _family(stack.pid_of(worker))
            for pid in family:
                os.kill(pid, signal.SIGKILL)
            held = {one for one in _owners(database) if one.startswith(f"{worker}:")}
            if family and held:
                return Wound(worker, held, time.perf_counter())
        time.sleep(0.002)
    return None


def _owners(database: Database) -> set[str]:
    """Return who holds leases now."""
    statement = select(t.chunk.c.lease_owner).where(t.chunk.c.state == "running").distinct()
    with database.read() as connection:
        return set(connection.execute(statement).scalars())


def _family(pid: int) -> list[int]:
    if not pid:
        return []
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _job(http: httpx.Client, path: str) -> dict:
    return http.get(path).json()


def _ready(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.sum(t.job.c.done + t.job.c.failed))).scalar() or 0


def _results(http: httpx.Client, path: str) -> list[dict]:
    lines = http.get(f"{path}/results", headers={"Accept": "application/x-ndjson"}).text.splitlines()
    return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
