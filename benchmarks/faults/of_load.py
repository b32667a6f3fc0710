"""Load instead of faults: a short soak, and more than the service can do."""

from __future__ import annotations

import threading
import time
from signal import SIGKILL

import httpx
import numpy as np
import psutil

from benchmarks.common import picture
from benchmarks.faults.site import Plan
from benchmarks.faults.trial import Scenario, Trial


def soak(trial: Trial) -> None:
    """F19: a while under load, a worker or Redis killed now and then; memory is watched."""
    trial.site.rest(trial.count(5, 20))
    before = _rss(trial, "api")
    until = time.monotonic() + trial.count(10, 90)
    while time.monotonic() < until:
        name = trial.chance.choice(["redis", *trial.site.workers])
        trial.strike(f"kill -9 {name}")
        trial.site.signal(name, SIGKILL)
        trial.site.rest(trial.count(5, 15))
    growth = _rss(trial, "api") / before - 1
    trial.notes.append(f"memory of the API {growth:+.1%}; `python -m benchmarks.soak` watches every process")


def overload(trial: Trial) -> None:
    """F20: several times what the workers can do; what is refused is told so, what is accepted is done."""
    stop = threading.Event()
    limit = 60 if not trial.full else 250

    def flood() -> None:
        with httpx.Client(base_url=trial.site.url, timeout=30) as http:
            while not stop.is_set() and trial.history.items < limit * 12:
                numbers = trial.callers.take(20)
                contents = [picture(n) for n in numbers]
                trial.callers.submit(http, "classify", contents, numbers, tries=1)

    threads = [threading.Thread(target=flood) for _ in range(6)]
    for thread in threads:
        thread.start()
    trial.site.rest(trial.count(5, 40))
    stop.set()
    for thread in threads:
        thread.join()
    answers = trial.history.answers
    trial.expect(answers["429"] > 0, "nothing was refused: the load was too small")
    odd = [code for code in answers if code not in ("202", "429")]
    trial.expect(not odd, f"the API answered {odd}")
    p99 = float(np.percentile([took for _, took in trial.history.calls], 99))
    trial.notes.append(f"p99 of submitting {p99:.2f} s; {answers['429']} of {sum(answers.values())} refused")
    trial.expect(p99 < 1, f"p99 of submitting is {p99:.2f} s")


def _rss(trial: Trial, name: str) -> int:
    process: psutil.Process = trial.site.family_of(name)[0]
    return int(process.memory_info().rss)


SCENARIOS = [
    Scenario("F19", "soak", soak, items=1500, note="short here"),
    Scenario(
        "F20",
        "overload",
        overload,
        Plan(settings={"max_queued_items": "250"}),
        callers=0,
        items=0,
        small_items=0,
    ),
]
