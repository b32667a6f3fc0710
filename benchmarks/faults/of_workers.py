"""Faults of worker processes: killed, replaced, paused, poisoned, scaled."""

from __future__ import annotations

import time
from signal import SIGCONT, SIGKILL, SIGSTOP

from benchmarks.common import picture
from benchmarks.faults.check import all_ended
from benchmarks.faults.poison import Poison, poisoned
from benchmarks.faults.site import Plan
from benchmarks.faults.trial import Scenario, Trial


def kill_workers(trial: Trial) -> None:
    """F1: kill -9 of a random worker with its child, while it loads, embeds or settles."""
    for _ in range(trial.count(2, 8)):
        trial.site.await_(lambda: all(map(trial.site.family_of, trial.site.workers)))
        name = trial.chance.choice(trial.site.workers)
        trial.strike(f"kill -9 {name}")
        trial.site.signal(name, SIGKILL)
        trial.rest(0.5, 4.5)


def kill_children(trial: Trial) -> None:
    """F2: kill -9 of a pool child in the middle of a turn."""
    for _ in range(trial.count(2, 5)):
        name = trial.chance.choice(trial.site.workers)
        trial.site.await_(lambda name=name: len(trial.site.family_of(name)) > 1)
        trial.strike(f"kill -9 child of {name}")
        for child in trial.site.family_of(name)[1:]:
            child.kill()
        trial.rest(1, 5)


def restart_workers(trial: Trial) -> None:
    """F3: SIGTERM, one worker after the other, and a new one in its place."""
    for _ in range(trial.count(1, 3)):
        name = trial.site.workers[0]
        trial.strike(f"SIGTERM {name}")
        begun = time.monotonic()
        code = trial.site.stop_child(name)
        took_s = time.monotonic() - begun
        trial.expect(code == 0, f"{name} ended with {code}")
        trial.expect(took_s < 20, f"{name} took {took_s:.0f} s to stop")
        trial.notes.append(f"stopped in {took_s:.1f} s")
        trial.site.add_worker(name)
        trial.site.await_(lambda name=name: any(w.name == name for w in trial.site.store.workers.alive()))
        trial.rest(0, 1)


def poison(trial: Trial) -> None:
    """F10: pictures that kill, hang or fail the worker, among others."""
    kinds = (Poison.SEGFAULT, Poison.OUT_OF_MEMORY, Poison.LOOP, Poison.RAISE)
    for kind in kinds:
        trial.strike(f"a picture that does {kind.name}")
        beside = trial.callers.take(3)
        contents = [picture(beside[0]), poisoned(kind), picture(beside[1]), picture(beside[2])]
        trial.callers.submit(trial.http, "classify", contents)
        trial.rest(0, 1)
    trial.site.await_(lambda: _ended(trial), 110)


def device_faults(trial: Trial) -> None:
    """F15: the device runs out of memory, fails once, and aborts the process once."""
    for number in range(trial.count(1, 2)):
        for kind in (Poison.DEVICE_MEMORY, Poison.DEVICE_ONCE, Poison.ABORT_ONCE):
            for once in ("raised", "aborted"):
                (trial.site.data / once).unlink(missing_ok=True)
            trial.strike(kind.name)
            contents = [poisoned(kind, number * 100 + n) for n in range(8)]
            trial.callers.submit(trial.http, "classify", contents)
            trial.rest(1, 3)


def pause_workers(trial: Trial) -> None:
    """F17: a worker stands still for longer than its lease, and comes back."""
    for _ in range(trial.count(1, 4)):
        name = trial.chance.choice(trial.site.workers)
        trial.strike(f"SIGSTOP {name} for 6 s, its lease is 3 s")
        trial.site.signal(name, SIGSTOP)
        trial.site.rest(6)
        trial.site.signal(name, SIGCONT)
        trial.rest(0, 1)


def scale(trial: Trial) -> None:
    """F18: one worker, four, and one again, under load."""
    most = trial.count(2, 4)
    for number in range(2, most + 1):
        trial.strike(f"worker-{number} comes")
        trial.site.add_worker(f"worker-{number}")
        trial.rest(0, 1)
    trial.site.await_(lambda: len(trial.site.store.workers.alive()) == most)
    for _ in range(trial.count(2, 10)):  # whoever answers must know what was enrolled before
        [number] = trial.callers.take(1)
        version = trial.finished(trial.enroll(picture(number), number))["index_version"]
        answer = trial.http.post(
            f"/v1/collections/{trial.collection}/search",
            content=picture(number),
            headers={"Content-Type": "image/png", "Prefer": "wait=30"},
        ).json()
        seen = answer["results"][0]["index_version"] if "results" in answer else 0
        trial.expect(seen >= version, f"a worker answered as of {seen} after {version}")
    for number in range(most, 1, -1):
        trial.strike(f"worker-{number} goes")
        trial.expect(trial.site.stop_child(f"worker-{number}") == 0, f"worker-{number} ended badly")


def _ended(trial: Trial) -> bool:
    return all_ended(trial.site.store, [job for job in trial.history.jobs if not job.numbers])


SLOW = {"claim_s": "1"}

SCENARIOS = [
    Scenario("F1", "kill -9 of workers", kill_workers, items=1000),
    Scenario("F2", "kill -9 of pool children", kill_children),
    Scenario("F3", "SIGTERM, rolling restart", restart_workers),
    Scenario(
        "F10",
        "poison: segfault, OOM, endless loop, exception",
        poison,
        Plan(strange="poison", settings=SLOW),
        failures=("worker_lost", "work_failed"),
        note="an encoder wrapped for it; time limits of 6 and 9 s in place of 90 and 120",
    ),
    Scenario(
        "F15",
        "device out of memory, exception, abort",
        device_faults,
        Plan(strange="poison", settings=SLOW),
        note="simulated by an encoder that raises as CUDA does, and aborts",
    ),
    Scenario("F17", "workers paused longer than their lease", pause_workers),
    Scenario("F18", "workers 1, 4, 1 under load", scale, Plan(workers=1)),
]
