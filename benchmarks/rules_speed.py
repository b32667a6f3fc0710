"""Time and memory of the rules: enrolment to changed answer, refit, one decision, set by set, as JSON lines.

python -m benchmarks.rules_speed [--rules auto,kernel,...] [--supports 100,1000,5000,100000]
    [--classes 10,100,1000,10000] [--seconds 5]

Every case is a process of its own, so its peak memory is its own too. The vectors are synthetic: unit vectors
of 384 components, scattered around a direction of each class. Milliseconds of the wall clock. The case of a
rule that gives way to another at that size says so in `rule_used`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind, Rule, RuleName
from core.vectors import Vector, Vectors
from index.decide import classify
from index.devices import use_search_threads
from index.replica import Replica

DIM = 384
SCATTER = 0.8  # length of the noise beside a class's direction of length 1: a cosine of 0.61 within a class
CHUNK = 4_096  # changes applied at a time, as a worker does
ROUNDS = 50  # at most, of each kind
DATA = "synthetic clustered unit vectors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rules", default=",".join(RuleName))
    parser.add_argument("--supports", default="100,1000,5000,100000")
    parser.add_argument("--classes", default="10,100,1000,10000")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each kind of change in each case")
    parser.add_argument("--threads", type=int, default=1, help="of the search and of linear algebra")
    parser.add_argument("--case", help="RULE,SUPPORTS,CLASSES: measure this case in this process")
    given = parser.parse_args()
    use_search_threads(given.threads)
    if given.case is not None:
        name, supports, classes = given.case.split(",")
        print(json.dumps(measure(RuleName(name), int(supports), int(classes), given.seconds)))
        return
    from benchmarks.common import emit  # its imports would count as memory of a case

    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(given.threads))
    environment = {**os.environ, **threads}
    for supports in map(int, given.supports.split(",")):
        for classes in map(int, given.classes.split(",")):
            for name in given.rules.split(",") if classes <= supports else []:
                command = [sys.executable, "-m", "benchmarks.rules_speed", "--case"]
                command += [f"{name},{supports},{classes}", "--seconds", str(given.seconds)]
                command += ["--threads", str(given.threads)]
                out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
                emit("rules_speed", data=DATA, threads=given.threads, **json.loads(out.stdout))


def measure(name: RuleName, supports: int, classes: int, seconds: float) -> dict[str, object]:
    empty_mib = peak_mib()
    rng = np.random.default_rng(0)
    drawn = Drawn(rng, classes)
    replica, rule = Replica(DIM), Rule(name)
    apply_ms = timed(lambda: fill(replica, drawn, supports, classes))
    loaded_mib = peak_mib()
    refit_ms = timed(lambda: replica.fit(rule))
    queries = drawn.vectors(np.arange(ROUNDS) % classes)
    used = classify(replica, rule, queries[:1], top=5)[0].rule

    decision_ms = [
        timed(lambda query=query: classify(replica, rule, query, top=5))
        for query in within(seconds, queries[:, None])
    ]
    batch_ms = timed(lambda: classify(replica, rule, queries, top=5)) / len(queries)

    enrol_ms = [enrol(replica, rule, drawn, column + 1) for column in within(seconds, range(classes))]
    new_ms = [enrol(replica, rule, drawn, classes + 1 + n) for n in within(seconds, range(ROUNDS))]
    remove_ms = [remove(replica, rule, queries[:1], n + 1) for n in within(seconds, range(supports // 2))]
    return {
        "rule": name.value,
        "rule_used": used.value,
        "supports": supports,
        "classes": classes,
        "dim": DIM,
        "load_ms": round(apply_ms, 1),
        "refit_ms": round(refit_ms, 2),
        "decision_ms": middle(decision_ms),
        "decision_in_batch_of_50_ms": round(batch_ms, 3),
        "enrol_to_answer_ms": middle(enrol_ms),
        "new_class_to_answer_ms": middle(new_ms),
        "remove_to_answer_ms": middle(remove_ms),
        "rounds": [len(decision_ms), len(enrol_ms), len(new_ms), len(remove_ms)],
        "empty_mib": round(empty_mib),
        "loaded_peak_mib": round(loaded_mib),
        "peak_mib": round(peak_mib()),
    }


class Drawn:
    """Vectors around a direction of each class; classes beyond the first get theirs as they come."""

    def __init__(self, rng: np.random.Generator, classes: int) -> None:
        self._rng = rng
        self._centres = self._directions(classes + ROUNDS)

    def vectors(self, columns: np.ndarray) -> Vectors:
        return unit(self._centres[columns] + SCATTER * self._directions(len(columns)))

    def _directions(self, n: int) -> Vectors:
        return unit(self._rng.standard_normal((n, DIM), np.float32))


def unit(raw: Vectors) -> Vectors:
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def fill(replica: Replica, drawn: Drawn, supports: int, classes: int) -> None:
    named = [class_change(id_) for id_ in range(1, classes + 1)]
    for start in range(0, supports, CHUNK):
        columns = np.arange(start, min(start + CHUNK, supports)) % classes
        changes = [
            SupportChange(start + row, int(column) + 1, vector)
            for row, (column, vector) in enumerate(zip(columns, drawn.vectors(columns), strict=True), start=1)
        ]
        replica.apply(Changes(start + len(changes), named if start == 0 else [], changes))


def enrol(replica: Replica, rule: Rule, drawn: Drawn, class_id: int) -> float:
    """Enrol a picture, perhaps of a new class, and ask for the same picture; return how long both took."""
    vector = drawn.vectors(np.array([class_id - 1]))
    id_ = 10**9 + replica.version
    classes = [] if class_id in replica.classes else [class_change(class_id)]
    change = Changes(replica.version + 1, classes, [SupportChange(id_, class_id, vector[0])])
    begun = time.perf_counter()
    replica.apply(change)
    (answer,) = classify(replica, rule, vector, top=5)
    took_ms = (time.perf_counter() - begun) * 1000
    assert answer.neighbours[0].support_id == id_ and answer.candidates[0].label == f"class {class_id}", (
        answer
    )
    return took_ms


def remove(replica: Replica, rule: Rule, query: Vector, id_: int) -> float:
    change = Changes(replica.version + 1, [], [SupportChange(id_, None, None)])
    begun = time.perf_counter()
    replica.apply(change)
    classify(replica, rule, query, top=5)
    return (time.perf_counter() - begun) * 1000


def class_change(id_: int) -> ClassChange:
    return ClassChange(id_, f"class {id_}", ClassKind.NORMAL)


def within(seconds: float, of: object) -> Iterator[object]:
    """Yield at most ROUNDS, and none after so many seconds but the first."""
    until = time.perf_counter() + seconds
    for n, one in enumerate(of):
        if n == ROUNDS or (n and time.perf_counter() > until):
            return
        yield one


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def middle(values: list[float]) -> dict[str, float]:
    return {"p50": round(float(np.median(values)), 2), "max": round(max(values), 2)}


def peak_mib() -> float:
    # not getrusage: on Linux its peak outlives exec, so a child's begins with what its parent took
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
