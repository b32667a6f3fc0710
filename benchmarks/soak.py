"""A service under load for minutes with a fault every 20 s: what callers see, what grows, what is lost.

python -m benchmarks.soak --minutes 30
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import threading
import time
from collections import Counter
from contextlib import nullcontext
from signal import SIGKILL
from statistics import median

import httpx

from benchmarks.common import emit, percentiles, picture
from benchmarks.faults.callers import Callers, History
from benchmarks.faults.check import all_ended, check_record
from benchmarks.faults.postgres import Postgres
from benchmarks.faults.site import Plan, Site
from store.checks.record import examine_record

COLLECTION = "soak"
PER_JOB = 8
TOP_S = 20.0
SHARE = 0.8
SAMPLE_S = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--every", type=float, default=20, help="seconds between two faults")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=19)
    arguments = parser.parse_args()
    postgres = Postgres() if arguments.database == "postgres" else None
    try:
        with nullcontext("") if postgres is None else postgres.database() as url:
            site = Site(Plan(workers=arguments.workers, settings={"lease_s": "5"}), url, postgres)
            try:
                site.start()
                _run(site, arguments)
            finally:
                site.stop()
                site.remove()
    finally:
        if postgres is not None:
            postgres.close()


def _run(site: Site, arguments: argparse.Namespace) -> None:
    httpx.post(f"{site.url}/v1/collections", json={"name": COLLECTION}).raise_for_status()
    top = _top_rate(site)
    print(f"top rate {top:.0f} items/s; {SHARE:.0%} of it from now on", file=sys.stderr)
    load = _Load(site, SHARE * top)
    memory = _Memory(site)
    chance = random.Random(arguments.seed)
    faults: Counter[str] = Counter()
    begun = time.monotonic()
    next_fault = begun + arguments.every
    while time.monotonic() < begun + arguments.minutes * 60:
        memory.sample()
        if time.monotonic() >= next_fault:
            next_fault += arguments.every
            name = chance.choice(["redis", *site.workers])
            faults["redis" if name == "redis" else "worker"] += 1
            print(f"{time.monotonic() - begun:.0f} s: kill -9 {name}", file=sys.stderr)
            site.signal(name, SIGKILL)
        site.rest(SAMPLE_S)
    load.stop()
    took_s = time.monotonic() - begun
    lost_in_time = False
    try:
        site.await_(lambda: all_ended(site.store, load.history.jobs), 120)
    except TimeoutError:
        lost_in_time = True
    found = check_record(site.store, COLLECTION, load.history.jobs)
    emit(
        "soak",
        database=arguments.database,
        seed=arguments.seed,
        minutes=round(took_s / 60, 1),
        workers=arguments.workers,
        top_items_per_s=round(top, 1),
        asked_items_per_s=round(SHARE * top, 1),
        faults=dict(faults),
        items=load.history.items,
        lost=found.lost,
        doubled=found.doubled,
        failed=dict(found.failed),
        wrong=found.wrong[:5] + [finding.message for finding in examine_record(site.store)],
        all_ended_in_time=not lost_in_time,
        answers=dict(load.history.answers),
        not_sent_in_time=load.late,
        submit_ms=percentiles([took * 1000 for _, took in load.history.calls]),
        job_s=percentiles([took for _, took in load.history.waits]),
        memory_mb=memory.figures(),
    )


def _top_rate(site: Site) -> float:
    """Measure what callers who never pause get done, in items a second."""
    history = History(site.folder / "top.jsonl")
    callers = Callers(site.url, COLLECTION, history, threads=6, per_job=PER_JOB)
    callers.start()
    site.rest(TOP_S / 2)  # the first seconds warm up
    before, begun = len(history.waits), time.monotonic()
    site.rest(TOP_S)
    done, took_s = len(history.waits) - before, time.monotonic() - begun
    callers.stop()
    history.close()
    site.await_(lambda: all_ended(site.store, history.jobs))
    return done * PER_JOB / took_s


class _Load:
    """Jobs that begin at a steady rate whatever becomes of those before, each followed to its end."""

    def __init__(self, site: Site, items_per_s: float) -> None:
        self.history = History(site.folder / "soak.jsonl")
        self.late = 0
        """Jobs that could not begin at their time, since every caller was waiting."""
        self._callers = Callers(site.url, COLLECTION, self.history, threads=0)
        self._url = site.url
        self._pause_s = PER_JOB / max(items_per_s, 1.0)
        self._next = time.monotonic()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._numbers = itertools.count(1_000_000)  # none of those that found the top rate
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(24)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; what was acknowledged is left to itself."""
        self._stop.set()
        self._callers.stop()
        for thread in self._threads:
            thread.join()
        self.history.close()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=30) as http:
            while not self._stop.wait(max(0.0, self._take() - time.monotonic())):
                with self._lock:
                    numbers = list(itertools.islice(self._numbers, PER_JOB))
                kind = ("enroll", "classify")[numbers[0] // PER_JOB % 2]
                begun = time.monotonic()
                job = self._callers.submit(http, kind, [picture(n) for n in numbers], numbers)
                if job is not None and self._callers.follow(http, job):
                    self.history.waits.append((time.monotonic(), time.monotonic() - begun))

    def _take(self) -> float:
        """Return when the next job is to begin."""
        with self._lock:
            now = time.monotonic()
            if self._next < now - 1:
                self.late += 1
                self._next = now
            at, self._next = self._next, self._next + self._pause_s
            return at


class _Memory:
    """Resident memory of each process; a worker that was killed and came back is another process."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._samples: dict[tuple[str, int], list[float]] = {}

    def sample(self) -> None:
        """Look once."""
        for name in ("api", "redis", *self._site.workers):
            for place, process in enumerate(self._site.family_of(name)):
                role = f"{name} child" if place else name
                rss = process.memory_info().rss / 2**20
                self._samples.setdefault((role, process.pid), []).append(rss)

    def figures(self) -> dict[str, dict[str, float]]:
        """Return for each role the process that lived longest: its memory in the first and last fifth."""
        longest: dict[str, list[float]] = {}
        for (role, _), samples in self._samples.items():
            longest[role] = max(longest.get(role, []), samples, key=len)
        return {role: _growth(samples) for role, samples in sorted(longest.items())}


def _growth(samples: list[float]) -> dict[str, float]:
    fifth = max(len(samples) // 5, 1)
    first, last = median(samples[:fifth]), median(samples[-fifth:])
    return {
        "lived_s": len(samples) * SAMPLE_S,
        "first": round(first),
        "last": round(last),
        "growth_percent": round((last / first - 1) * 100, 1),
    }


if __name__ == "__main__":
    main()
