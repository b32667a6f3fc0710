"""Time and memory of several labels a picture: enrolment to changed answer, and one decision, as JSON lines.

python -m benchmarks.labels_speed [--supports 100,1000,10000,100000] [--labels 10,100,1000,10000]
    [--dim 384] [--seconds 5]

Every case is a process of its own. The vectors are made up: a picture has one to three labels and is the sum
of their directions and noise, of unit length; half of the sets are complete. Milliseconds of the wall clock.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np

from benchmarks.rules_speed import CHUNK, SCATTER, middle, peak_mib, timed, unit, within
from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind, Rule
from core.vectors import Vectors
from index.decide_many import classify_many
from index.devices import use_search_threads
from index.replica import Replica

ROUNDS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--supports", default="100,1000,10000,100000")
    parser.add_argument("--labels", default="10,100,1000,10000")
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each kind of change in each case")
    parser.add_argument("--threads", type=int, default=1, help="of the search and of linear algebra")
    parser.add_argument("--case", help="SUPPORTS,LABELS: measure this case in this process")
    given = parser.parse_args()
    use_search_threads(given.threads)
    if given.case is not None:
        supports, labels = map(int, given.case.split(","))
        print(json.dumps(measure(supports, labels, given.dim, given.seconds)))
        return
    from benchmarks.common import emit  # its imports would count as memory of a case

    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(given.threads))
    for supports in map(int, given.supports.split(",")):
        for labels in map(int, given.labels.split(",")):
            if labels > supports:
                continue
            command = [sys.executable, "-m", "benchmarks.labels_speed", "--case", f"{supports},{labels}"]
            command += ["--dim", str(given.dim), "--seconds", str(given.seconds)]
            command += ["--threads", str(given.threads)]
            out = subprocess.run(
                command, check=True, capture_output=True, text=True, env={**os.environ, **threads}
            )
            emit("labels_speed", threads=given.threads, **json.loads(out.stdout))


def measure(supports: int, labels: int, dim: int, seconds: float) -> dict[str, object]:
    empty_mib = peak_mib()
    drawn = Drawn(labels, dim)
    replica, rule = Replica(dim), Rule()
    load_ms = timed(lambda: fill(replica, drawn, supports))
    first_ms = timed(lambda: classify_many(replica, rule, drawn.picture()[1][None], top=5))
    queries = np.stack([drawn.picture()[1] for _ in range(ROUNDS)])
    decision_ms = [
        timed(lambda query=query: classify_many(replica, rule, query, top=5))
        for query in within(seconds, queries[:, None])
    ]
    batch_ms = timed(lambda: classify_many(replica, rule, queries, top=5)) / len(queries)
    enrol_ms = [enrol(replica, rule, drawn) for _ in within(seconds, range(ROUNDS))]
    remove_ms = [remove(replica, rule, queries[:1], n + 1) for n in within(seconds, range(supports // 2))]
    return {
        "supports": supports,
        "labels": labels,
        "dim": dim,
        "rule_used": classify_many(replica, rule, queries[:1], top=5)[0].rule.value,
        "load_ms": round(load_ms, 1),
        "first_answer_ms": round(first_ms, 1),
        "decision_ms": middle(decision_ms),
        "decision_in_batch_of_50_ms": round(batch_ms, 3),
        "enrol_to_answer_ms": middle(enrol_ms),
        "remove_to_answer_ms": middle(remove_ms),
        "empty_mib": round(empty_mib),
        "peak_mib": round(peak_mib()),
    }


class Drawn:
    """Pictures of one to three labels, and the sets they have."""

    def __init__(self, labels: int, dim: int) -> None:
        self._rng = np.random.default_rng(0)
        self._dim = dim
        self.directions = unit(self._rng.standard_normal((labels, dim), np.float32))
        self.sets: dict[tuple[tuple[int, ...], bool], int] = {}
        self.drawn = 0

    def picture(self) -> tuple[tuple[int, ...], Vectors]:
        """Return the ids of a picture's labels, and its vector; every label comes up in turn."""
        labels = len(self.directions)
        others = self._rng.integers(0, labels, int(self._rng.integers(0, 3)))
        columns = np.unique([self.drawn % labels, *others])
        self.drawn += 1
        noise = unit(self._rng.standard_normal((1, self._dim), np.float32))[0]
        vector = self.directions[columns].sum(axis=0) / np.sqrt(len(columns)) + SCATTER * noise
        return tuple((columns + 1).tolist()), vector / np.linalg.norm(vector)

    def set_of(self, members: tuple[int, ...], complete: bool, classes: list[ClassChange]) -> int:
        """Return the id of a set, which joins the classes if it is new."""
        id_ = self.sets.get((members, complete))
        if id_ is None:
            id_ = self.sets[members, complete] = len(self.directions) + len(self.sets) + 1
            classes.append(ClassChange(id_, f"\x1f{id_}", ClassKind.SET, False, members, complete))
        return id_


def fill(replica: Replica, drawn: Drawn, supports: int) -> None:
    classes = [ClassChange(n + 1, f"label {n}", ClassKind.NORMAL) for n in range(len(drawn.directions))]
    for start in range(0, supports, CHUNK):
        changes = []
        for id_ in range(start + 1, min(start + CHUNK, supports) + 1):
            members, vector = drawn.picture()
            changes.append(SupportChange(id_, drawn.set_of(members, id_ % 2 == 0, classes), vector))
        replica.apply(Changes(start + len(changes), classes, changes))
        classes = []


def enrol(replica: Replica, rule: Rule, drawn: Drawn) -> float:
    """Enrol a picture and ask for the same picture; return how long both took."""
    members, vector = drawn.picture()
    classes: list[ClassChange] = []
    id_ = 10**9 + replica.version
    change = SupportChange(id_, drawn.set_of(members, True, classes), vector)
    begun = time.perf_counter()
    replica.apply(Changes(replica.version + 1, classes, [change]))
    (answer,) = classify_many(replica, rule, vector[None], top=5)
    took_ms = (time.perf_counter() - begun) * 1000
    assert answer.neighbours[0].support_id == id_, answer
    return took_ms


def remove(replica: Replica, rule: Rule, query: Vectors, id_: int) -> float:
    change = Changes(replica.version + 1, [], [SupportChange(id_, None, None)])
    begun = time.perf_counter()
    replica.apply(change)
    classify_many(replica, rule, query, top=5)
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main()
