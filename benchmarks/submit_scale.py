"""What one submission takes with 0, 100,000 and 1,000,000 finished jobs, on SQLite and PostgreSQL.

    python -m benchmarks.submit_scale [--databases sqlite,postgres] [--finished 0,100000,1000000]

Finished jobs are written by SQL, each with one settled chunk. JSON lines: milliseconds of one submission.
"""

from __future__ import annotations

import argparse
import time

from sqlalchemy import text

from benchmarks.common import DEFAULT, emit, percentiles
from benchmarks.record_speed import record
from core.collections import Rule
from core.jobs import Item, JobKind, JobRequest, Lane
from core.settings import Settings
from store.migrate import ensure_schema
from store.store import Store, open_store
from store.work.jobs import new_job_id

TRIES = 200
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last) "
    "SELECT i FROM n",
    "postgres": "SELECT i FROM generate_series(CAST(:first AS BIGINT), CAST(:last AS BIGINT)) AS n(i)",
}
JOB = """
INSERT INTO job (id, collection_name, kind, lane, state, total, done, failed, top, min_version,
    submitted_version, created_at, started_at, finished_at)
SELECT 'f' || i, 'things', 'classify', 'interactive', 'succeeded', 1, 1, 0, 5, 0, 0, 1.0, 1.0, 4000000000.0
FROM ({}) AS numbers
"""
CHUNK = """
INSERT INTO chunk (job_id, encoder, lane, state, first_item, size, attempts, queued_at, inputs, results)
SELECT 'f' || i, 'e', 'interactive', 'settled', 0, 1, 1, 1.0, '[]', '[]' FROM ({}) AS numbers
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--finished", default="0,100000,1000000")
    asked = parser.parse_args()
    for name in asked.databases.split(","):
        with record(name) as settings:
            store = open_store(settings)
            ensure_schema(store.database)
            store.collections.create("things", DEFAULT, Rule())
            there = 0
            for finished in map(int, asked.finished.split(",")):
                fill(store, name, there + 1, finished)
                there = finished
                emit("submit_scale", database=name, finished=finished, unit="ms", **submit(store, settings))
            store.database.close()


def fill(store: Store, name: str, first: int, last: int) -> None:
    """Write finished jobs by number, a slice at a time."""
    for start in range(first, last + 1, 100_000):
        numbers = {"first": start, "last": min(start + 99_999, last)}
        with store.database.write() as connection:
            for statement in (JOB, CHUNK):
                connection.execute(text(statement.format(NUMBERS[name])), numbers)
    with store.database.write() as connection:
        connection.execute(text("ANALYZE"))


def submit(store: Store, settings: Settings) -> dict[str, float]:
    """Return the milliseconds of one submission of one picture."""
    took: list[float] = []
    for number in range(TRIES):
        asked = JobRequest("things", JobKind.CLASSIFY, Lane.INTERACTIVE, [Item(0, picture=f"{number:064x}")])
        begun = time.perf_counter()
        store.jobs.submit(new_job_id(), asked)
        took.append((time.perf_counter() - begun) * 1000)
    return percentiles(took)


if __name__ == "__main__":
    main()
