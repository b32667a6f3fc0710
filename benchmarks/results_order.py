"""What a page of results takes in the orders for reviewing, with 10,000 and 100,000 items.

python -m benchmarks.results_order [--databases sqlite,postgres] [--items 10000,100000] [--limit 100]

Each answer has five candidates, five neighbours and a vector of 1,280 components. JSON lines: milliseconds
of a GET over WSGI for the first page (the first of a job reads all its answers), for the same again, for the
pages after it, for a selection by path that few items fit, and for pages once half of the items are reviewed.
"""

from __future__ import annotations

import argparse
import random
import time
from typing import Any

import numpy as np
from flask.testing import FlaskClient

from api.app import create_app
from benchmarks.common import DEFAULT, emit, percentiles
from benchmarks.record_speed import RESULT, record
from core.collections import Rule
from core.jobs import Chunk, Item, JobKind, JobRequest, Lane
from core.settings import Settings
from store.migrate import ensure_schema
from store.store import Store, open_store
from store.work.item_vectors import pack_half
from store.work.jobs import new_job_id
from store.work.settlement import Settlement
from store.work.verdicts import Verdict

PAGES = 30
COMPONENTS = 1280


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--items", default="10000,100000")
    parser.add_argument("--limit", type=int, default=100)
    asked = parser.parse_args()
    for name in asked.databases.split(","):
        for items in map(int, asked.items.split(",")):
            with record(name) as settings:
                measure(name, settings, items, asked.limit)


def measure(name: str, settings: Settings, items: int, limit: int) -> None:
    """Measure one job in all orders."""
    store = open_store(settings.model_copy(update={"log_level": "ERROR"}))
    ensure_schema(store.database)
    store.collections.create("things", DEFAULT, Rule())
    job = finished(store, items)
    client = create_app(settings, store, needs_key=False).test_client()
    figures = {"database": name, "items": items, "limit": limit, "unit": "ms"}
    for order in ("value", "confidence", "name", "item"):
        first_ms, cursor = get(client, job, order=order, limit=limit)
        again_ms, _ = get(client, job, order=order, limit=limit)
        rare_ms, _ = get(client, job, order=order, limit=limit, path=f"{items - 1}.jpg")
        pages_ms = pages(client, job, cursor, order=order, limit=limit)
        emit(
            "results_order",
            **figures,
            order=order,
            first_read=first_ms,
            first=again_ms,
            few_fit=rare_ms,
            later=percentiles(pages_ms),
        )
    store.reviews.set_where(job, lambda result: result["item"] % 2 == 0, Verdict("bench", accepted=True))
    first_ms, cursor = get(client, job, order="value", limit=limit)
    later = percentiles(pages(client, job, cursor, order="value", limit=limit))
    emit("results_order", **figures, order="value", reviewed=items // 2, first=first_ms, later=later)
    store.database.close()


def finished(store: Store, count: int) -> str:
    """Return a finished job of so many answers, of various confidences."""
    rng = random.Random(0)
    items = [Item(n, "ab" * 32, custom_id=f"pictures/IMG_{n}.jpg") for n in range(count)]
    request = JobRequest("things", JobKind.CLASSIFY, Lane.BULK, items)
    job = store.jobs.submit(new_job_id(), request).job.id
    while chunks := store.chunks.claim("w.1", DEFAULT, tuple(Lane), 1024):
        settled = [
            Settlement(chunk, [answer(item, rng) for item in chunk.items], vectors=vectors(chunk))
            for chunk in chunks
        ]
        store.chunks.settle("w.1", settled)
    return job


def vectors(chunk: Chunk) -> bytes | None:
    """Return vectors of which every two hundred are alike."""
    centres = np.random.default_rng(0).standard_normal((500, COMPONENTS), np.float32)
    noise = np.random.default_rng(chunk.id).standard_normal((len(chunk.items), COMPONENTS), np.float32)
    found = centres[[item.index % len(centres) for item in chunk.items]] + 0.5 * noise
    return pack_half(list(found / np.linalg.norm(found, axis=1, keepdims=True)))


def answer(item: Item, rng: random.Random) -> dict[str, Any]:
    best = rng.uniform(0.4, 1.0)
    candidates = [
        {"label": f"class {n}", "probability": best if n == 0 else (1 - best) / 4} for n in range(5)
    ]
    return {
        **RESULT,
        "item": item.index,
        "custom_id": item.custom_id,
        "confidence": best,
        "candidates": candidates,
        "novelty": {"score": rng.uniform(1.0, 2.0), "threshold": 1.0, "accepts_unfamiliar": 0.1},
    }


def pages(client: FlaskClient, job: str, cursor: str | None, **query: Any) -> list[float]:
    """Return the milliseconds of the pages that follow."""
    took: list[float] = []
    while cursor is not None and len(took) < PAGES:
        took_ms, cursor = get(client, job, cursor=cursor, **query)
        took.append(took_ms)
    return took


def get(client: FlaskClient, job: str, **query: Any) -> tuple[float, str | None]:
    """Return the milliseconds of one page, and the cursor of the next."""
    begun = time.perf_counter()
    response = client.get(f"/v1/jobs/{job}/results", query_string=query)
    page = response.get_json()
    took_ms = (time.perf_counter() - begun) * 1000
    assert response.status_code == 200, page
    return round(took_ms, 1), page["next_cursor"]


if __name__ == "__main__":
    main()
