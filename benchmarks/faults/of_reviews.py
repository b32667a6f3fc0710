"""Faults while people review: the supports that reviews make, move and take back."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from signal import SIGKILL
from typing import Any

import httpx
from sqlalchemy import select

from benchmarks.common import picture
from benchmarks.faults.callers import PAUSE_S, REFUSALS, Acknowledged
from benchmarks.faults.trial import Scenario, Trial
from core.jobs import FINAL
from store import tables as t

LABELS = ("first", "second")
PICTURES = 12


def review(trial: Trial) -> None:
    """F21: reviews that enrol are given, changed and undone while API and workers are killed."""
    numbers = trial.callers.take(PICTURES)
    contents = [picture(number) for number in numbers]
    job = trial.callers.submit(trial.http, "classify", contents, numbers)
    assert job is not None
    trial.finished(job)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        reviewing = pool.submit(_review_until, trial, job, stop)
        for _ in range(trial.count(3, 10)):
            name = trial.chance.choice(("api", *trial.site.workers))
            trial.site.await_(lambda: trial.site.answers("/readyz"))
            trial.strike(f"kill -9 {name}")
            trial.site.signal(name, SIGKILL)
            trial.rest(0.5, 3)
        stop.set()
        trial.site.await_(reviewing.done)
        wanted, calls = reviewing.result()
    trial.site.await_(lambda: trial.site.answers("/readyz") and _have_ended(trial, job))
    found = _places(trial, {sha256(content).hexdigest(): n for n, content in enumerate(contents)})
    expected = {n: [label] for n, label in wanted.items() if label is not None}
    trial.expect(found == expected, f"the supports are {found}, the reviews {expected}")
    trial.notes.append(f"{calls} reviews given, changed or undone")


def _review_until(
    trial: Trial, job: Acknowledged, stop: threading.Event
) -> tuple[dict[int, str | None], int]:
    """Review random items; return the label with which each is to be a support, and the number of calls."""
    wanted: dict[int, str | None] = {}
    calls = 0
    with httpx.Client(base_url=trial.site.url, timeout=30) as http:
        while not stop.is_set():
            item = trial.chance.randrange(PICTURES)
            label = trial.chance.choice((*LABELS, None, "undone"))
            verdict = {"label": label, "enroll": True} if label in LABELS else {"label": None}
            _until_acknowledged(trial, http, job, item, None if label == "undone" else verdict)
            wanted[item] = label if label in LABELS else None
            calls += 1
    return wanted, calls


def _until_acknowledged(
    trial: Trial, http: httpx.Client, job: Acknowledged, item: int, verdict: dict[str, Any] | None
) -> None:
    path = f"/v1/jobs/{job.job}/items/{item}"
    while True:
        try:
            answer = http.delete(path) if verdict is None else http.patch(path, json=verdict)
        except httpx.HTTPError:
            time.sleep(PAUSE_S)  # only one thread may start again what died
            continue
        if answer.is_success:
            return
        assert answer.status_code in REFUSALS, f"{answer.status_code}: {answer.text[:500]}"
        time.sleep(PAUSE_S)


def _have_ended(trial: Trial, job: Acknowledged) -> bool:
    states = select(t.job.c.state).where(t.job.c.target == job.job)
    with trial.site.store.database.read() as connection:
        return all(state in FINAL for state in connection.execute(states).scalars())


def _places(trial: Trial, items: dict[str, int]) -> dict[int, list[str]]:
    """Return the classes in which the pictures are supports, by item."""
    collection = trial.site.store.collections.get(trial.collection)
    joined = t.support.join(t.class_, t.class_.c.id == t.support.c.class_id)
    which = select(t.support.c.picture, t.class_.c.label).select_from(joined)
    here = (t.support.c.collection_id == collection.id) & t.support.c.picture.in_(items)
    found: dict[int, list[str]] = {}
    with trial.site.store.database.read() as connection:
        for row in connection.execute(which.where(here)):
            found.setdefault(items[row.picture], []).append(row.label)
    return found


SCENARIOS = [Scenario("F21", "reviews that enrol, API and workers killed", review, callers=1)]
