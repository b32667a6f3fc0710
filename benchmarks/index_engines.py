"""The engines of an index beside each other: time, recall and memory, as JSON lines and a table.

python -m benchmarks.index_engines [--engines flat,rabitq,ivf,milvus] [--supports 100000,1000000] [--dim 512]
    [--limit-s 480]

Every case is a process of its own, so its memory is its own too, and uses what a worker uses: a replica that
changes are applied to. Vectors are made, not embedded: a hundred supports a class, ten classes a group. A
vector is the sum of its group's direction, its class's (length 0.7) and noise (length 0.8), all drawn alike:
the k-th component is as large as k to the power of -1/2, which leaves few directions that matter, as in
embeddings. Queries are drawn in the same way and are no supports. Recall is of the exact ten nearest. One
thread. An engine that is not filled after --limit-s says how far it came.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind, Index, IndexName
from core.vectors import Vectors
from index.devices import use_search_threads
from index.milvus import Milvus
from index.replica import Replica
from index.replicas import AnyReplica
from index.training import follow_index
from index.vector_store import VectorStoreReplica

BLOCK = 20_000  # changes applied at a time, as the feed gives them
PER_CLASS = 100
CLASSES_PER_GROUP = 10
QUERIES = 256
COLUMNS = (
    *("engine", "supports", "load_s", "build_s", "alone_p50_ms", "alone_p95_ms", "of_64_ms", "recall_at_10"),
    *("add_ms", "add_1000_ms", "remove_ms", "resident_mib", "peak_mib"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--engines", default="flat,rabitq,ivf,milvus")
    parser.add_argument("--supports", default="100000,1000000")
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--limit-s", type=float, default=480.0)
    parser.add_argument("--case", help="ENGINE,SUPPORTS: measure this case in this process")
    given = parser.parse_args()
    if given.case is not None:
        name, supports = given.case.split(",")
        print(json.dumps(measure(IndexName(name), int(supports), given.dim, given.limit_s)))
        return
    from benchmarks.common import emit  # its imports would count as memory of a case

    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    lines = []
    for supports in given.supports.split(","):
        for name in given.engines.split(","):
            command = [sys.executable, "-m", "benchmarks.index_engines", "--case", f"{name},{supports}"]
            command += ["--dim", str(given.dim), "--limit-s", str(given.limit_s)]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
            lines.append(json.loads(out.stdout.splitlines()[-1]))
            emit("index_engines", data="made, clustered", dim=given.dim, threads=1, **lines[-1])
    print_table(lines)


def measure(name: IndexName, supports: int, dim: int, limit_s: float) -> dict[str, object]:
    use_search_threads(1)
    drawn = Drawn(supports, dim)
    with tempfile.TemporaryDirectory(prefix="exemplar-bench-") as folder:
        milvus = Milvus("", "", Path(folder))
        replica: AnyReplica = (
            VectorStoreReplica(lambda _: milvus.open("bench", dim), dim)
            if name is IndexName.MILVUS
            else Replica(dim)
        )
        begun = time.perf_counter()
        for start, vectors in drawn.blocks():
            replica.apply(changes(replica, start, vectors))
            filled = start + len(vectors)
            if filled < supports and time.perf_counter() - begun > limit_s:
                return {"engine": name.value, "supports": supports, "filled": filled, "in_s": round(limit_s)}
        load_s = time.perf_counter() - begun
        begun = time.perf_counter()
        if isinstance(replica, Replica) and name is not IndexName.FLAT:
            follow_index(replica, Index(name), run=lambda work: work())
        build_s = time.perf_counter() - begun
        return {
            "engine": name.value,
            "supports": supports,
            "load_s": round(load_s, 1),
            "build_s": round(build_s, 1),
            **searched(replica, drawn),
            **changed(replica, drawn),
            "resident_mib": round(of_process("VmRSS")),
            "peak_mib": round(of_process("VmHWM")),
        }


def searched(replica: AnyReplica, drawn: Drawn) -> dict[str, float]:
    queries = drawn.queries()
    exact = drawn.nearest(queries, 10)
    replica.near(queries[:1], 10)  # whatever is made at the first search
    alone = [timed(lambda query=query: replica.near(query, 10)) for query in queries[:50, None]]
    batches = [timed(lambda at=at: replica.near(queries[at : at + 64], 10)) for at in range(0, QUERIES, 64)]
    found = [
        near.ids.tolist() for at in range(0, QUERIES, 64) for near in replica.near(queries[at : at + 64], 10)
    ]
    hits = [len(set(got) & set(right)) for got, right in zip(found, exact.tolist(), strict=True)]
    return {
        "alone_p50_ms": round(float(np.median(alone)), 2),
        "alone_p95_ms": round(float(np.quantile(alone, 0.95)), 2),
        "of_64_ms": round(float(np.median(batches)), 1),
        "recall_at_10": round(sum(hits) / (10 * QUERIES), 4),
    }


def changed(replica: AnyReplica, drawn: Drawn) -> dict[str, float]:
    """Measure changes, each one at once, and a thousand at once."""
    vectors = drawn.queries(seed=9, count=1_010)
    first = drawn.supports + 1
    added = [
        timed(lambda n=n: replica.apply(changes(replica, first - 1 + n, vectors[n : n + 1])))
        for n in range(10)
    ]
    thousand = timed(lambda: replica.apply(changes(replica, first + 9, vectors[10:])))
    removed = [
        timed(
            lambda n=n: replica.apply(
                Changes(replica.version + 1, [], [SupportChange(first + n, None, None)], 1.0)
            )
        )
        for n in range(10)
    ]
    return {
        "add_ms": round(float(np.median(added)), 1),
        "add_1000_ms": round(thousand, 1),
        "remove_ms": round(float(np.median(removed)), 1),
    }


def changes(replica: AnyReplica, start: int, vectors: Vectors) -> Changes:
    """Return supports start + 1, ... of the classes that `Drawn` gives them."""
    class_ids = (start + np.arange(len(vectors))) // PER_CLASS + 1
    classes = [ClassChange(int(id_), f"class {id_}", ClassKind.NORMAL) for id_ in np.unique(class_ids)]
    supports = [
        SupportChange(start + row, int(class_id), vector)
        for row, (class_id, vector) in enumerate(zip(class_ids, vectors, strict=True), start=1)
    ]
    return Changes(replica.version + len(supports), classes, supports, 1.0)


class Drawn:
    """Clustered unit vectors, made again block by block whenever they are wanted."""

    def __init__(self, supports: int, dim: int) -> None:
        self.supports = supports
        rng = np.random.default_rng(0)
        self._spectrum = (1.0 + np.arange(dim, dtype=np.float32)) ** -0.5
        classes = -(-supports // PER_CLASS)
        groups = self._directions(rng, -(-classes // CLASSES_PER_GROUP))
        self._centres = groups[np.arange(classes) // CLASSES_PER_GROUP]
        self._centres = self._centres + 0.7 * self._directions(rng, classes)

    def blocks(self) -> Iterator[tuple[int, Vectors]]:
        for start in range(0, self.supports, BLOCK):
            rows = np.arange(start, min(start + BLOCK, self.supports))
            yield start, self._around(np.random.default_rng((1, start)), rows // PER_CLASS)

    def queries(self, *, seed: int = 2, count: int = QUERIES) -> Vectors:
        rng = np.random.default_rng(seed)
        return self._around(rng, rng.integers(0, len(self._centres), count))

    def nearest(self, queries: Vectors, k: int) -> np.ndarray:
        """Return (m, k) ids of the exact nearest, by brute force over the blocks."""
        best = np.full((len(queries), k), -np.inf, np.float32)
        ids = np.zeros((len(queries), k), np.int64)
        for start, vectors in self.blocks():
            both = np.concatenate([best, queries @ vectors.T], axis=1)
            names = np.arange(start + 1, start + 1 + len(vectors))
            all_ids = np.concatenate([ids, np.broadcast_to(names, (len(queries), len(names)))], axis=1)
            order = np.argpartition(-both, k, axis=1)[:, :k]
            best, ids = np.take_along_axis(both, order, axis=1), np.take_along_axis(all_ids, order, axis=1)
        return ids

    def _around(self, rng: np.random.Generator, columns: np.ndarray) -> Vectors:
        vectors = self._centres[columns] + 0.8 * self._directions(rng, len(columns))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def _directions(self, rng: np.random.Generator, count: int) -> Vectors:
        raw = rng.standard_normal((count, len(self._spectrum)), np.float32) * self._spectrum
        raw /= np.linalg.norm(raw, axis=1, keepdims=True)
        return raw


def print_table(lines: list[dict[str, object]]) -> None:
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for line in lines:
        print("| " + " | ".join(str(line.get(name, "")) for name in COLUMNS) + " |")


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def of_process(field: str) -> float:
    """Return a figure of this process in MiB: VmRSS now, VmHWM at its highest."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
