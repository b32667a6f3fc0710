"""Faults of record, disk and clock, and of everything at once."""

from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from signal import SIGKILL

import httpx
from sqlalchemy import text

from benchmarks.common import picture
from benchmarks.faults.site import Plan
from benchmarks.faults.trial import Scenario, Trial


def lose_record(trial: Trial) -> None:
    """F8: PostgreSQL is killed and started again; SQLite's file is locked by someone else."""
    for _ in range(trial.count(1, 5)):
        if trial.site.postgres is None:
            trial.strike("another process holds SQLite's write lock for 3 s")
            _lock_sqlite(trial, 3)
        else:
            trial.strike("kill -9 postgres")
            trial.site.postgres.kill()
            trial.rest(0.5, 2)
            trial.site.postgres.start()
        trial.rest(1, 2)
    _expect_only(trial, "202", "200", "503")


def crash_host(trial: Trial) -> None:
    """F9: every process is killed at the same moment."""
    for _ in range(trial.count(1, 3)):
        trial.strike("kill -9 of Redis, API, workers and database")
        for name in ("redis", "api", *trial.site.workers):
            trial.site.signal(name, SIGKILL)
        if trial.site.postgres is not None:
            trial.site.postgres.kill()
            trial.site.postgres.start()
        trial.site.await_(lambda: trial.site.answers("/readyz"))
        trial.rest(1, 2)


def one_key(trial: Trial) -> None:
    """F13: one Idempotency-Key a hundred times at once, while the API is killed."""
    for round_ in range(trial.count(1, 4)):
        [number] = trial.callers.take(1)
        key = f"one-{round_}"

        def submit(_: int, number: int = number, key: str = key) -> str:
            with httpx.Client(base_url=trial.site.url, timeout=30) as http:
                job = trial.callers.submit(http, "enroll", [picture(number)], [number], key=key)
                return job.job if job else ""

        with ThreadPoolExecutor(20) as pool:
            jobs = [pool.submit(submit, n) for n in range(100)]
            trial.rest(0, 0.3)
            trial.strike("kill -9 api")
            trial.site.signal("api", SIGKILL)
            trial.site.await_(lambda jobs=jobs: all(job.done() for job in jobs))
        ids = {job.result() for job in jobs}
        trial.expect(len(ids) == 1, f"one key, {len(ids)} jobs")


def fill_disk(trial: Trial) -> None:
    """F14: the disk of record, blobs, spool, snapshots, Redis' file and logs is full, and has room again."""
    for _ in range(trial.count(1, 3)):
        trial.strike("the disk is full")
        filler = trial.site.data / "filler"
        _fill(filler)
        before = trial.history.answers.copy()
        trial.site.rest(4)
        refused = trial.history.answers - before
        trial.notes.append(f"while full: {dict(refused)}")
        filler.unlink()
        trial.rest(1, 3)
    _expect_only(trial, "202", "200", "503", "507")


def jump(trial: Trial) -> None:
    """F16: the record's clock goes an hour ahead, back, and back while a worker dies that nobody replaces."""
    _jump(trial, 3600)
    trial.rest(3, 4)
    _jump(trial, 0)
    trial.rest(3, 4)
    trial.strike("a worker dies for good")
    trial.site.drop_child(trial.site.workers[-1])
    _jump(trial, -3600)
    trial.rest(5, 6)


def _jump(trial: Trial, to_s: float) -> None:
    trial.strike(f"the clock stands {to_s:+.0f} s off")
    with trial.site.store.database.write() as connection:
        connection.execute(text("UPDATE faults_clock SET seconds = :to"), {"to": to_s})


def _lock_sqlite(trial: Trial, seconds: float) -> None:
    connection = sqlite3.connect(trial.site.data / "record.sqlite", isolation_level=None, timeout=30)
    connection.execute("BEGIN EXCLUSIVE")
    trial.site.rest(seconds)
    connection.execute("COMMIT")
    connection.close()


def _fill(path: os.PathLike[str]) -> None:
    with open(path, "wb", buffering=0) as file, suppress(OSError):
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while file.write(b"\0" * size):
                    pass


def _expect_only(trial: Trial, *codes: str) -> None:
    odd = [code for code in trial.history.answers if code.isdigit() and code not in codes]
    trial.expect(not odd, f"the API answered {odd}")


SCENARIOS = [
    Scenario(
        "F8", "the database killed, or locked", lose_record, note="SQLite: its file locked by another process"
    ),
    Scenario("F9", "everything killed at once", crash_host),
    Scenario("F13", "one key 100 times, API killed", one_key, callers=1, items=500),
    Scenario(
        "F14",
        "disk full",
        fill_disk,
        Plan(disk_mb=64, settings={"min_free_bytes": "1000000"}),
        note="a tmpfs of 64 MB holds the data folder; PostgreSQL's own files are elsewhere",
    ),
    Scenario(
        "F16",
        "the clock jumps by an hour",
        jump,
        Plan(strange="clock"),
        note="through the seam of the record's clock: all leases use that one",
    ),
]
