"""The time of an erasure in a large record: one external id, and a class of a thousand supports.

python -m benchmarks.erasure [--supports 100000] [--items 100000]
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert, update

from benchmarks.common import emit
from core.collections import ClassKind, Rule
from core.jobs import ChunkState, JobKind, JobState, Lane
from core.settings import Settings
from core.vectors import pack_vector
from store import tables as t
from store.erasure.phases import advance
from store.erasure.targets import Wanted
from store.migrate import ensure_schema
from store.store import Store, open_store

DIM = 512
CLASSES = 100
CHUNK = 256
NEAR = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--supports", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=100_000, help="of classify jobs")
    parser.add_argument("--database", default="", help="URL; default a new SQLite record")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), database_url=arguments.database)
        store = open_store(settings)
        ensure_schema(store.database)
        store.collections.create("things", "open_clip:ViT-B-32/laion2b_s34b_b79k", Rule())
        fill(store, arguments.supports, arguments.items)
        took = {name: erase(store, wanted) for name, wanted in WANTED.items()}
        emit("erasure", supports=arguments.supports, items=arguments.items, **took)
        store.database.close()


WANTED = {"external_id_s": Wanted(external_id="p7"), "class_s": Wanted(label="class 3")}


def erase(store: Store, wanted: Wanted) -> float:
    """Erase as a worker does, and return the seconds it took."""
    start = time.perf_counter()
    begun = store.erasures.begin(wanted, ["things"], key_id="local", request_id=None)
    held = store.erasures.claim("w:1")
    assert held is not None
    while advance(held, store.blobs, lambda content, _: content):
        pass
    receipt = store.erasures.get(begun.id)
    assert receipt.is_complete and receipt.counts["supports"], receipt
    return round(time.perf_counter() - start, 1)


def fill(store: Store, supports: int, items: int) -> None:
    """Write supports, and answers that show them, without an encoder."""
    with store.database.write() as connection:
        for n in range(CLASSES):
            row = {"collection_id": 1, "label": f"class {n}", "kind": ClassKind.NORMAL, "seq": n + 1}
            connection.execute(insert(t.class_).values(**row, deleted=False, created_at=0.0))
        for start in range(0, supports, 5000):
            connection.execute(
                insert(t.support), [_support(n) for n in range(start, min(start + 5000, supports))]
            )
        version = {"version": supports + CLASSES}
        connection.execute(update(t.collection).values(version))
        connection.execute(insert(t.job).values(_job(items)))
        for rows in _chunks(supports, items):
            connection.execute(insert(t.chunk), rows)


def digest(kind: str, n: int) -> str:
    return hashlib.sha256(f"{kind}{n}".encode()).hexdigest()


def _support(n: int) -> dict[str, Any]:
    vector = np.random.default_rng(n).normal(size=DIM).astype(np.float32)
    return {
        "collection_id": 1,
        "class_id": n % CLASSES + 1,
        "seq": CLASSES + n + 1,
        "vector": pack_vector(vector / np.linalg.norm(vector)),
        "picture": digest("p", n),
        "thumbnail": digest("t", n),
        "external_id": f"p{n}",
        "metadata": {},
        "created_at": 0.0,
    }


def _job(items: int) -> dict[str, Any]:
    return {
        "id": "0" * 32, "collection_id": 1, "collection_name": "things", "kind": JobKind.CLASSIFY,
        "lane": Lane.BULK, "state": JobState.SUCCEEDED, "total": items, "done": items, "failed": 0, "top": 5,
        "min_version": 0, "submitted_version": 0, "created_at": 0.0, "finished_at": 0.0,
    }  # fmt: skip


def _chunks(supports: int, items: int) -> Iterator[list[dict[str, Any]]]:
    chance = np.random.default_rng(0)
    for start in range(0, items, CHUNK):
        numbers = range(start, min(start + CHUNK, items))
        near = chance.integers(1, supports + 1, (len(numbers), NEAR)).tolist()
        yield [
            {
                "job_id": "0" * 32,
                "encoder": "e",
                "lane": Lane.BULK,
                "state": ChunkState.SETTLED,
                "first_item": start,
                "size": len(numbers),
                "attempts": 1,
                "queued_at": 0.0,
                "inputs": [{"index": n, "picture": digest("q", n), "custom_id": f"q{n}"} for n in numbers],
                "results": [_result(n, ids) for n, ids in zip(numbers, near, strict=True)],
            }
        ]


def _result(n: int, ids: list[int]) -> dict[str, Any]:
    shown = [{"support_id": one, "label": "class 1", "similarity": 0.5} for one in ids]
    candidates = [{"label": f"class {one}", "probability": 0.2} for one in range(NEAR)]
    return {
        "item": n, "custom_id": f"q{n}", "status": "done", "decision": "known", "label": "class 1",
        "confidence": 0.9, "candidates": candidates, "neighbours": shown,
        "explanation": {"margin": 0.1, "supports": [{**one, "share": 0.1} for one in shown]},
        "index_version": 1, "encoder": "e", "timing_ms": {"decode": 3.1, "embed": 8.0, "search": 0.2},
    }  # fmt: skip


if __name__ == "__main__":
    main()
