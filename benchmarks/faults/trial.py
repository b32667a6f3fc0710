"""A scenario under way: its site, its callers, its faults, and what is judged at the end."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from benchmarks.faults.callers import Acknowledged, Callers, History
from benchmarks.faults.check import (
    Found,
    all_ended,
    check_answers,
    check_record,
    check_replicas,
    digest_of,
    fresh_replica,
)
from benchmarks.faults.site import Plan, Site
from store.checks.record import examine_record

QUIET_S = 120.0  # in which everything acknowledged must have ended after the last fault


@dataclass(frozen=True)
class Scenario:
    """A way to do harm, what it needs, and what it does."""

    name: str
    title: str
    play: Callable[[Trial], None]
    plan: Plan = field(default_factory=Plan)
    callers: int = 3
    items: int = 450
    """How many are acknowledged at the least in a full run."""
    small_items: int = 60
    failures: tuple[str, ...] = ()
    """Codes that items may fail with."""
    note: str = ""


@dataclass
class Trial:
    """One scenario on one database."""

    scenario: Scenario
    site: Site
    database: str
    chance: random.Random
    full: bool
    faults: int = 0
    notes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    last_fault: float = 0.0

    def __post_init__(self) -> None:
        self.collection = self.scenario.name.lower()
        self.found = Found()
        self.settled_s = self.took_s = 0.0
        self.history = History(self.site.folder / f"{self.collection}.jsonl")
        self.callers = Callers(self.site.url, self.collection, self.history, threads=self.scenario.callers)
        self.http = httpx.Client(base_url=self.site.url, timeout=30)

    def count(self, small: int, full: int) -> int:
        """Return how often something is to be done at this scale."""
        return full if self.full else small

    def strike(self, what: str, times: int = 1) -> None:
        """Count a fault that is being done now."""
        self.faults += times
        self.last_fault = time.monotonic()
        name = f"{self.scenario.name} {self.database}"
        print(f"{name}: fault {self.faults}, {what}; {self.history.items} items", file=sys.stderr)

    def expect(self, is_so: bool, otherwise: str) -> None:
        """Note what is not as it should be."""
        if not is_so:
            self.wrong.append(otherwise)

    def rest(self, least_s: float, most_s: float) -> None:
        """Let a random time pass."""
        self.site.rest(self.chance.uniform(least_s, most_s))

    def enroll(self, content: bytes, number: int) -> Acknowledged:
        """Enrol one picture; returns once it is acknowledged."""
        job = self.callers.submit(self.http, "enroll", [content], [number])
        assert job is not None
        return job

    def finished(self, job: Acknowledged, timeout_s: float = 60) -> dict:
        """Wait for the end of a job and return its first result."""
        path = f"/v1/jobs/{job.job}"
        self.site.await_(lambda: self.http.get(path).json()["finished_at"], timeout_s)
        return self.http.get(f"{path}/results").json()["items"][0]

    def run(self) -> None:
        """Play the scenario, let everything come to its end, and check it; whatever happens is noted."""
        begun = time.monotonic()
        try:
            self._run()
        except Exception as error:  # the boundary of the trial: the others must go on
            self.wrong.append(f"{type(error).__name__}: {error}"[:300])
            print(error, file=sys.stderr)
        finally:
            self.http.close()
            self.history.close()
        self.took_s = time.monotonic() - begun
        found = self.found
        counts = f"{self.faults} faults, {found.items} items, {found.lost} lost, {found.doubled} doubled"
        said = "; ".join([*self.wrong, *found.wrong][:3]) or "nothing wrong"
        print(
            f"{self.scenario.name} {self.database} after {self.took_s:.0f} s: {counts}; {said}",
            file=sys.stderr,
        )

    def _run(self) -> None:
        self.site.await_(lambda: self.site.answers("/readyz"))
        self.http.post("/v1/collections", json={"name": self.collection}).raise_for_status()
        self.callers.start()
        try:
            self.scenario.play(self)
            if self.scenario.callers:
                least = self.count(self.scenario.small_items, self.scenario.items)
                self.site.await_(lambda: self.history.items >= least, 300)
        finally:
            self.callers.stop()
            self._settle()
        if self.scenario.callers:
            check_answers(self.site.url, self.collection, self.history.jobs, self.found, self.count(5, 25))

    def check_follower(self, digest: str) -> None:
        """Hold a replica that was followed all the time against a fresh one."""
        fresh = fresh_replica(self.site.store, self.collection)
        self.expect(fresh is not None and digest_of(fresh) == digest, "a follower missed a row")

    def _settle(self) -> None:
        store, jobs = self.site.store, self.history.jobs
        try:
            self.site.await_(lambda: all_ended(store, jobs), QUIET_S)
        except TimeoutError as error:
            self.wrong.append(f"not everything ended in {QUIET_S:.0f} s")
            print(error, file=sys.stderr)
        self.settled_s = time.monotonic() - self.last_fault if self.last_fault else 0.0
        self.found = check_record(store, self.collection, jobs)
        self.wrong += [finding.message for finding in examine_record(store)]

    def figures(self) -> dict:
        """Return the figures, once the site has stopped and its workers have saved their replicas."""
        found = self.found
        folders = sorted(self.site.folder.glob("*/snapshots"))
        replicas = check_replicas(self.site.store, self.collection, folders, found)
        self.notes.append(f"{replicas} saved replicas compared")
        odd = [text for text in self.history.answers if text.startswith("UNEXPECTED")]
        failed = {code: n for code, n in found.failed.items() if code not in self.scenario.failures}
        wrong = [
            *self.wrong,
            *found.wrong,
            *odd,
            *(f"{n} items failed: {code}" for code, n in failed.items()),
        ]
        passed = found.lost == found.doubled == 0 and not wrong
        worst = max([took for _, took in self.history.waits] or [self.settled_s])
        return {
            "scenario": self.scenario.name,
            "title": self.scenario.title,
            "database": self.database,
            "faults": self.faults,
            "items": found.items,
            "lost": found.lost,
            "doubled": found.doubled,
            "worst_recovery_s": round(worst, 1),
            "settled_after_last_fault_s": round(self.settled_s, 1),
            "slowest_submit_s": round(self.history.slowest_call_s(), 2),
            "answers": dict(self.history.answers),
            "failed": dict(found.failed),
            "verdict": "pass" if passed else "FAIL",
            "wrong": wrong[:10],
            "notes": [*([self.scenario.note] if self.scenario.note else []), *self.notes],
            "took_s": round(self.took_s, 1),
        }
