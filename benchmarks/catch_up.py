"""How soon a new worker can answer: its replica from the record and from a snapshot, as JSON lines.

python -m benchmarks.catch_up [--supports 10000,100000,1000000] [--dim 512] [--index flat,milvus]

The record is SQLite in a folder of its own, filled by one statement for many supports; vectors are random.
Every start is a process of its own, so time and memory are its own too: `record` has nothing on disk,
`snapshot` has what a worker leaves behind when it ends, `again` is a worker of the index milvus that finds
its rows in Milvus Lite. Seconds until the first search is answered; MiB resident then and at the highest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sqlalchemy import insert, update

from benchmarks.common import DEFAULT
from benchmarks.index_engines import of_process
from core.collections import Index, IndexName, Rule
from core.settings import Settings
from core.vectors import Vectors, pack_vector
from index.devices import use_search_threads
from index.milvus import Milvus
from index.replicas import Replicas
from store import tables as t
from store.migrate import ensure_schema
from store.store import Store, open_store

AT_ONCE = 10_000
PER_CLASS = 100
COLUMNS = ("index", "supports", "start", "seconds", "resident_mib", "peak_mib", "snapshot_mib")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--supports", default="10000,100000,1000000")
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--index", default="flat")
    parser.add_argument("--case", help="INDEX,FOLDER,START: measure this start in this process")
    given = parser.parse_args()
    if given.case is not None:
        name, folder, start = given.case.split(",")
        print(json.dumps(measure(IndexName(name), Path(folder), start, given.dim)))
        return
    from benchmarks.common import emit  # its imports would count as memory of a case

    lines = []
    for supports in map(int, given.supports.split(",")):
        with tempfile.TemporaryDirectory(prefix="exemplar-bench-") as folder:
            fill(open_store(Settings(data=Path(folder))), supports, given.dim)
            for name in given.index.split(","):
                for start in ("record", "again" if name == "milvus" else "snapshot"):
                    line = {"supports": supports, **started(name, folder, start, given.dim)}
                    lines.append(line)
                    emit("catch_up", dim=given.dim, threads=1, **line)
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for line in lines:
        print("| " + " | ".join(str(line.get(name, "")) for name in COLUMNS) + " |")


def fill(store: Store, supports: int, dim: int) -> None:
    ensure_schema(store.database)
    collection = store.collections.create("bench", DEFAULT, Rule())
    rng = np.random.default_rng(0)
    classes = -(-supports // PER_CLASS)
    with store.database.write() as connection:
        rows = [
            {
                "collection_id": collection.id,
                "label": f"class {n}",
                "kind": "normal",
                "seq": 1,
                "created_at": 0.0,
            }
            for n in range(1, classes + 1)
        ]
        connection.execute(insert(t.class_), rows)
    for start in range(0, supports, AT_ONCE):
        vectors = units(rng, min(AT_ONCE, supports - start), dim)
        with store.database.write() as connection:
            connection.execute(
                insert(t.support), [row(collection.id, start + n, v) for n, v in enumerate(vectors)]
            )
            connection.execute(update(t.collection).values(version=start + len(vectors)))
    store.database.close()


def row(collection_id: int, n: int, vector: np.ndarray) -> dict[str, object]:
    return {
        "collection_id": collection_id,
        "class_id": n // PER_CLASS + 1,
        "seq": n + 1,
        "vector": pack_vector(vector),
        "picture": f"{n:064x}",
        "thumbnail": "",
        "metadata": {},
        "created_at": 0.0,
    }


def started(name: str, folder: str, start: str, dim: int) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks.catch_up", "--case", f"{name},{folder},{start}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    out = subprocess.run(
        [*command, "--dim", str(dim)], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    found: dict[str, object] = json.loads(out.stdout.splitlines()[-1])
    return found


def measure(name: IndexName, folder: Path, start: str, dim: int) -> dict[str, object]:
    use_search_threads(1)
    settings = Settings(data=folder)
    store = open_store(settings)
    begun = time.perf_counter()
    replicas = Replicas(
        store.supports.changes_since,
        settings.snapshot_folder,
        gpu=False,
        milvus=Milvus("", "", settings.milvus_folder),
    )
    replica = replicas.current(1, dim, Index(name))
    assert replica is not None
    replica.near(units(np.random.default_rng(1), 1, dim), 10)
    seconds = time.perf_counter() - begun
    line: dict[str, object] = {
        "index": name.value,
        "start": start,
        "seconds": round(seconds, 2),
        "resident_mib": round(of_process("VmRSS")),
        "peak_mib": round(of_process("VmHWM")),
    }
    replicas.save_all()
    sizes = [file.stat().st_size for file in settings.snapshot_folder.glob("*.npz")]
    return {**line, "snapshot_mib": round(sum(sizes) / 2**20)} if start == "snapshot" else line


def units(rng: np.random.Generator, count: int, dim: int) -> Vectors:
    raw = rng.standard_normal((count, dim), np.float32)
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
