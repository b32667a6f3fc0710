"""Faults of replicas: killed, their snapshots broken, and enrolment against search."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from signal import SIGKILL

import httpx

from benchmarks.common import picture
from benchmarks.faults.callers import Acknowledged
from benchmarks.faults.check import digest_of
from benchmarks.faults.site import Plan
from benchmarks.faults.trial import Scenario, Trial
from index.replica import Replica

AS_PNG = {"Content-Type": "image/png", "Prefer": "wait=30"}


def break_snapshots(trial: Trial) -> None:
    """F11: workers of hosts of their own are killed and restarted with snapshots that are broken."""
    for number in range(trial.count(2, 4)):
        name = trial.site.workers[number % len(trial.site.workers)]
        _await_alive(trial)
        trial.site.stop_child(name)  # writes its snapshot
        harm = HARMS[number % len(HARMS)]
        found = sorted((trial.site.data_of(name) / "snapshots").glob("*.npz"))
        if not found:  # it has answered nothing yet
            found = [trial.site.data_of(name) / "snapshots" / f"c1-v1-{'0' * 64}.npz"]
            found[0].parent.mkdir(parents=True, exist_ok=True)
            found[0].write_bytes(b"no snapshot")
        trial.strike(f"{harm.__name__} in the snapshot of {name}")
        for path in found:
            harm(path, trial)
        other = next(one for one in trial.site.workers if one != name)
        trial.site.add_worker(name)
        trial.strike(f"kill -9 {other}")
        trial.site.signal(other, SIGKILL)
        trial.rest(1, 3)
    _await_alive(trial)
    for _ in range(30):  # each worker searches, so that each has a replica to save
        [number] = trial.callers.take(1)
        trial.http.post(f"/v1/collections/{trial.collection}/search", content=picture(number), headers=AS_PNG)


def race(trial: Trial) -> None:
    """F12: writers enrol and delete at once with readers, each of which must see what was acknowledged."""
    follower = _Follower(trial)
    with ThreadPoolExecutor(8) as pool:
        misses = sum(pool.map(lambda _: _write_and_read(trial), range(trial.count(30, 200))))
    trial.expect(misses == 0, f"{misses} reads did not see what had been acknowledged")
    trial.check_follower(follower.stop())


class _Follower:
    """A replica that asks for changes without a pause, to find rows that a reader would skip."""

    def __init__(self, trial: Trial) -> None:
        self._supports = trial.site.store.supports
        self._id = trial.site.store.collections.get(trial.collection).id
        self._replica: Replica | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> str:
        """Stop, and return a digest of what came."""
        self._stop.set()
        self._thread.join()
        self._follow()
        return "" if self._replica is None else digest_of(self._replica)

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            self._follow()

    def _follow(self) -> None:
        changes = self._supports.changes_since(
            self._id, 0 if self._replica is None else self._replica.version
        )
        vectors = (
            [change.vector for change in changes.supports if change.vector is not None] if changes else []
        )
        if self._replica is None and vectors:
            self._replica = Replica(len(vectors[0]))
        if self._replica is not None and changes is not None:
            self._replica.apply(changes)


def _write_and_read(trial: Trial) -> int:
    """Enrol a picture and search for it; every third time delete it and search again; return misses."""
    [number] = trial.callers.take(1)
    content = picture(number)
    is_deleted = number % 3 == 0
    with httpx.Client(base_url=f"{trial.site.url}/v1/collections/{trial.collection}", timeout=60) as http:
        label = {"label": f"label {number % 5}"}
        [result] = _ask(trial, http, "enroll", content, label, kind="deleted" if is_deleted else "enroll")
        newer = {"min_version": result["index_version"]}
        misses = int(result["support_id"] not in _ids(_ask(trial, http, "search", content, newer)))
        if is_deleted:
            http.delete(f"/supports/{result['support_id']}").raise_for_status()
            misses += int(result["support_id"] in _ids(_ask(trial, http, "search", content, {})))
    return misses


def _ask(
    trial: Trial, http: httpx.Client, call: str, content: bytes, query: dict, *, kind: str = "search"
) -> list[dict]:
    answer = http.post(f"/{call}", params=query, content=content, headers=AS_PNG)
    assert answer.status_code == httpx.codes.OK, answer.text
    digests = [sha256(content).hexdigest()]
    trial.history.add(
        Acknowledged(answer.json()["id"], kind, [], digests, answer.elapsed.total_seconds(), None)
    )
    trial.history.waits.append((time.monotonic(), answer.elapsed.total_seconds()))
    return answer.json()["results"]


def _ids(results: list[dict]) -> list[int]:
    return [neighbour["support_id"] for neighbour in results[0]["neighbours"]]


def _await_alive(trial: Trial) -> None:
    trial.site.await_(
        lambda: (
            {worker.name for worker in trial.site.store.workers.alive()} >= set(trial.site.workers)
            and all(len(trial.site.family_of(name)) > 1 for name in trial.site.workers)
        )
    )


def flip_a_bit(path: Path, trial: Trial) -> None:
    """Turn one bit over."""
    content = bytearray(path.read_bytes())
    content[trial.chance.randrange(len(content))] ^= 1 << trial.chance.randrange(8)
    path.write_bytes(content)


def cut_short(path: Path, trial: Trial) -> None:
    """Leave a part of it."""
    content = path.read_bytes()
    path.write_bytes(content[: trial.chance.randrange(len(content))])


def remove(path: Path, trial: Trial) -> None:
    """Remove it."""
    path.unlink()


HARMS = (flip_a_bit, cut_short, remove)

SCENARIOS = [
    Scenario(
        "F11",
        "snapshots broken, replicas killed",
        break_snapshots,
        Plan(workers=3, own_folders=True),
        items=500,
        note="three workers with data folders of their own, as on three hosts",
    ),
    Scenario("F12", "enrol, delete and search at once", race, callers=0, items=0, small_items=0),
]
