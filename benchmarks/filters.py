"""Filters by metadata: the first answer among what matches, the next ones, and memory, on both databases.

    python -m benchmarks.filters [--supports 100000] [--dim 512] [--databases sqlite,postgres]

Supports are random unit vectors in classes of 50, with a `site` out of ten; JSON lines.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
from sqlalchemy import text

from benchmarks.catch_up import fill, units
from benchmarks.common import emit
from benchmarks.record_speed import record
from core.collections import Rule
from core.where import Where
from index.decide import classify
from index.filtered import FilteredReplicas
from store.store import Store, open_store

TRIES = 20
ONE, ALL = ["s0"], [f"s{n}" for n in range(10)]
SITES = {
    "sqlite": """UPDATE support SET metadata = '{"site": "s' || (id % 10) || '", "year": 2026}'""",
    "postgres": """UPDATE support SET metadata = ('{"site": "s' || (id % 10) || '", "year": 2026}')::json""",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--supports", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--databases", default="sqlite,postgres")
    asked = parser.parse_args()
    for name in asked.databases.split(","):
        with record(name) as settings:
            fill(open_store(settings), asked.supports, asked.dim)
            store = open_store(settings)
            with store.database.write() as connection:
                connection.execute(text(SITES[name]))
            for sites in (ONE, ALL):
                where: Where = {"site": sites}
                emit(
                    "filters",
                    database=name,
                    supports=asked.supports,
                    share=len(sites) / 10,
                    **measure(store, where, asked.dim),
                )
            store.database.close()


def measure(store: Store, where: Where, dim: int) -> dict[str, Any]:
    """Return seconds of the first answer, milliseconds of later ones, and the memory of the filter."""
    query = units(np.random.default_rng(1), 1, dim)
    before = psutil.Process().memory_info().rss
    replicas = FilteredReplicas(store.supports.changes_since)

    def current() -> Any:
        replica = replicas.current(1, dim, where, encoder=None)
        assert replica is not None
        return replica

    begun = time.perf_counter()
    matching = len(current())
    read_s = time.perf_counter() - begun
    begun = time.perf_counter()
    current().near(query, 10)
    search_s = time.perf_counter() - begun
    begun = time.perf_counter()
    classify(current(), Rule(), query, top=5)
    fit_s = time.perf_counter() - begun
    resident = psutil.Process().memory_info().rss - before

    def described() -> None:
        store.supports.describe("bench", 10, {"metadata": {"seen": time.time()}})
        classify(current(), Rule(), query, top=5)

    return {
        "matching": matching,
        "read_s": round(read_s, 2),
        "first_search_s": round(search_s, 3),
        "fit_s": round(fit_s, 2),
        "resident_mib": round(resident / 2**20),
        "next_ms": timed(lambda: classify(current(), Rule(), query, top=5)),
        "after_a_change_ms": timed(described),
        "page_ms": timed(lambda: store.supports.page("bench", where=where)),
        "external_ids_ms": timed(lambda: store.supports.external_ids(range(1, 9))),
    }


def timed(do: Callable[[], object]) -> float:
    """Return the median milliseconds of some tries."""
    times = []
    for _ in range(TRIES):
        begun = time.perf_counter()
        do()
        times.append((time.perf_counter() - begun) * 1000)
    return round(float(np.median(times)), 2)


if __name__ == "__main__":
    main()
