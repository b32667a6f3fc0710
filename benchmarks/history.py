"""Answers as of an earlier version: that they are those given then, and their time and memory, as JSON lines.

python -m benchmarks.history --histories 1000 [--labels one,many] [--database URL]
python -m benchmarks.history --part speed [--supports 100000] [--dim 512]

The first makes random histories of enrolling, moving, renaming, merging, deleting, changing the rule and
restoring, with one label a picture and with several, and compares the answers of each version with those as
of that version later. It needs a record of its own: a new SQLite file, or an empty PostgreSQL database.

The second fills a record, deletes some supports and moves others, and asks for one picture: now, as of the
version before for the first time, again, and another picture. Memory is what the process has resident.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from sqlalchemy import insert, select

from benchmarks.catch_up import AT_ONCE, row, units
from benchmarks.common import DEFAULT, emit
from benchmarks.histories import HISTORY, Trial
from benchmarks.index_engines import of_process
from core.collections import ChangeKind, Labels, Rule
from core.settings import Settings
from index.decide import classify
from index.devices import use_search_threads
from index.replica import Replica
from index.replicas import Replicas
from store import tables as t
from store.migrate import ensure_schema
from store.record.change_log import Made
from store.record.class_rows import mark_supports_deleted, move_supports
from store.record.collections import lock_collection, set_version
from store.store import Store, open_store
from worker.past import PastReplicas

PER_CLASS, CHANGED = 1000, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--labels", default="one,many")
    parser.add_argument("--database", default="")
    parser.add_argument("--part", choices=("histories", "speed"), default="histories")
    parser.add_argument("--supports", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    given_ = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="exemplar-bench-") as folder:
        settings = Settings(data=Path(folder), database_url=given_.database)
        store = open_store(settings)
        ensure_schema(store.database)
        if given_.part == "speed":
            measure_speed(store, settings, given_.supports, given_.dim)
        else:
            for labels in map(Labels, given_.labels.split(",")):
                compare_histories(store, settings, labels, given_.histories)
        store.database.close()


def compare_histories(store: Store, settings: Settings, labels: Labels, count: int) -> None:
    """Make so many histories; an answer that differs ends the run with its shortest history."""
    replicas = Replicas(store.supports.changes_since, settings.snapshot_folder, gpu=False)
    made: list[Trial] = []

    @hypothesis_settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(history=HISTORY)
    def one(history: Any) -> None:
        made.append(Trial(store, replicas, labels))
        made[-1].run(history)

    begun = time.perf_counter()
    one()
    emit(
        "history",
        part="histories",
        labels=labels.value,
        database="sqlite" if store.database.is_sqlite else "postgresql",
        histories=len(made),
        versions_compared=sum(trial.compared for trial in made),
        seconds=round(time.perf_counter() - begun, 1),
    )


def measure_speed(store: Store, settings: Settings, supports: int, dim: int) -> None:
    """Ask now and as of a version before some thousand changes."""
    use_search_threads(1)
    before = fill(store, supports, dim)
    collection = store.collections.find("bench")
    replicas = Replicas(store.supports.changes_since, settings.snapshot_folder, gpu=False)
    past = PastReplicas()
    queries = units(np.random.default_rng(1), 2, dim)

    def live() -> Replica:
        replica = replicas.current(collection.id, dim)
        assert isinstance(replica, Replica)
        return replica

    def then() -> Replica:
        return past.at(store.history, live(), collection, before)[0]

    steps: list[tuple[str, Callable[[], Replica], int]] = [
        ("now, first", live, 0),
        ("now, next", live, 1),
        ("as of, first", then, 0),
        ("as of, next", then, 1),
    ]
    for name, replica_of, query in steps:
        resident = of_process("VmRSS")
        begun, cpu = time.perf_counter(), time.process_time()
        replica = replica_of()
        built_s = time.perf_counter() - begun
        classify(replica, collection.rule, queries[query : query + 1], top=5)
        emit(
            "history",
            part="speed",
            ask=name,
            supports=len(replica),
            dim=dim,
            replica_s=round(built_s, 3),
            seconds=round(time.perf_counter() - begun, 3),
            cpu_s=round(time.process_time() - cpu, 3),
            resident_mib=round(of_process("VmRSS")),
            more_mib=round(of_process("VmRSS") - resident),
        )


def fill(store: Store, supports: int, dim: int) -> int:
    """Write supports of classes of a thousand, delete and move some, and return the version before that."""
    collection_id = store.collections.create("bench", DEFAULT, Rule()).id
    rng = np.random.default_rng(0)
    classes = range(1, -(-supports // PER_CLASS) + 1)
    with store.database.write() as connection:
        common = {"collection_id": collection_id, "kind": "normal", "seq": 1, "created_at": 0.0}
        connection.execute(insert(t.class_), [{**common, "label": f"class {n}"} for n in classes])
    for start in range(0, supports, AT_ONCE):
        vectors = units(rng, min(AT_ONCE, supports - start), dim)
        rows = [
            {**row(collection_id, start + n, vector), "class_id": (start + n) // PER_CLASS + 1}
            for n, vector in enumerate(vectors)
        ]
        with store.database.write() as connection:
            connection.execute(insert(t.support), rows)
            set_version(connection, collection_id, start + len(rows), Made(ChangeKind.ENROLLED))
    chosen = select(t.support.c.id).where(t.support.c.id % (supports // CHANGED) == 0).scalar_subquery()
    with store.database.write() as connection:
        version = lock_collection(connection, collection_id) or 0
        which = t.support.c.id.in_(chosen)
        half = which & (t.support.c.id % (2 * (supports // CHANGED)) == 0)
        version = mark_supports_deleted(connection, half, version)
        version = move_supports(connection, which & t.support.c.class_id.is_not(None), 1, version)
        set_version(connection, collection_id, version, Made(ChangeKind.MOVED))
    return supports


if __name__ == "__main__":
    main()
