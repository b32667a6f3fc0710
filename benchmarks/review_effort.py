"""What it takes a person until every picture of a job has its right label, by three ways of working.

    python -m benchmarks.review_effort [--pictures 500] [--examples 5] [--enrolled 20,10]

Queries of `shared/data/sports20`, answered by a service with the default encoder, its supports enrolled. A
simulated reviewer, who knows the right labels, works through the answers over HTTP as on the page's review
view. Key presses and clicks are those of the page; minutes are by the keystroke-level model (Card, Moran and
Newell 1980: 0.28 s for a key press, 1.3 s for a click with pointing) and 0.5 s for a look at each picture,
which is an assumption. `enrolled` is the number of classes that have examples at first; the reviewer types
the whole name of another one the first time. JSON lines, one for each way:

    one by one      each wrong answer by clicks: Correct, the class typed with completion (how 0.1 worked)
    keys            what has no name first: 1 to 3 for a candidate, / and typed letters for another class;
                    then a click on each wrong one among the named; at last the rest accepted at once
    groups and ask  groups of unknown pictures named and enrolled, the rest asked again, then as by keys
"""

from __future__ import annotations

import argparse
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.common import DEFAULT, SHARED, emit, service

PRESS_S, CLICK_S, LOOK_S = 0.28, 1.3, 0.5
SPORTS = SHARED / "data" / "sports20"
COLLECTION = "sports"
SMALLEST_GROUP = 3  # that is worth a name


@dataclass
class Effort:
    """What a reviewer did."""

    presses: int = 0
    clicks: int = 0
    looks: int = 0
    waited_s: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    def minutes(self) -> float:
        """Return the time that it takes by the model, with the waits for the service."""
        worked = self.presses * PRESS_S + self.clicks * CLICK_S + self.looks * LOOK_S
        return round((worked + self.waited_s) / 60, 1)


class Reviewer:
    """A person who knows the right label of each picture."""

    def __init__(self, http: httpx.Client, job: str, truth: Sequence[str], enrolled: Sequence[str]) -> None:
        self._http = http
        self._job = job
        self._truth = truth
        self._labels = {*enrolled}
        self.effort = Effort()

    def one_by_one(self) -> None:
        """Correct each wrong answer by mouse."""
        for answer in self.answers():
            self.effort.looks += 1
            if answer["final_label"] != self._right(answer):
                self.effort.clicks += 1  # Correct
                self._type(answer)
                self._review([answer["item"]], label=self._right(answer))

    def by_keys(self) -> None:
        """Name what has no name, one after the other; click what is named wrongly; accept the rest."""
        for answer in self.answers(order="value", reviewed=False):
            self.effort.looks += 1
            right = self._right(answer)
            if answer["final_label"] == right:
                continue
            if answer["final_label"] is not None:
                self.effort.clicks += (
                    1  # on the picture; after a decision the next one has the focus by itself
                )
            if right in [candidate["label"] for candidate in answer["candidates"][:3]]:
                self.effort.presses += 1
            else:
                self.effort.presses += 1  # /
                self._type(answer)
            self._review([answer["item"]], label=right)
        self.effort.presses += 2  # select all that is left, accept
        self._post("review", {"where": {"reviewed": False}, "accepted": True})

    def by_groups(self) -> None:
        """Name the groups of unknown pictures, leaving out by click what does not belong, and ask again."""
        groups = self._wait(self._post("groups", {}))
        named = Counter[str]()
        for group in self._results(groups):
            if group["size"] < SMALLEST_GROUP:
                continue
            self.effort.looks += group["size"]
            label, count = Counter(self._truth[item] for item in group["items"]).most_common(1)[0]
            if 2 * count <= group["size"]:
                continue  # no group of one thing: left for later
            right = [item for item in group["items"] if self._truth[item] == label]
            self.effort.clicks += group["size"] - len(right) + 1  # those left out, and the field
            self._type_label(label)
            suggested = [item for item in group["suggested"] if item in right]
            self._review(right, label=label)
            if suggested:
                self._wait(self._review(suggested, label=label, enroll=True)["enroll_job"])
            named["groups"] += 1
            named["named_in_groups"] += len(right)
        self.effort.clicks += 1  # ask again
        redecide = self._wait(self._post("redecide", {}))
        summary = self._http.get(f"/v1/jobs/{redecide}/summary").json()
        self.effort.details |= {**named, "asked": summary["asked"], "changed": summary["changed"]}
        self.by_keys()

    def check(self) -> None:
        """Raise unless every picture has its right label."""
        wrong = [one["item"] for one in self.answers() if one["final_label"] != self._right(one)]
        assert not wrong, f"{len(wrong)} pictures have another label"

    def _right(self, answer: dict[str, Any]) -> str:
        return self._truth[answer["item"]]

    def _type(self, answer: dict[str, Any]) -> None:
        self._type_label(self._right(answer))

    def _type_label(self, label: str) -> None:
        """Type as much of a label as tells it from the others, all of a new one, and Enter."""
        others = self._labels - {label}
        is_told = (n for n in range(1, len(label)) if not any(o.startswith(label[:n]) for o in others))
        letters = next(is_told, len(label)) if label in self._labels else len(label)
        self._labels.add(label)
        self.effort.presses += letters + 1

    def answers(self, **query: Any) -> list[dict[str, Any]]:
        return self._results(self._job, **query)

    def _results(self, job: str, **query: Any) -> list[dict[str, Any]]:
        found, cursor = [], None
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            page = self._http.get(f"/v1/jobs/{job}/results", params={"limit": 100, **query, **more})
            page.raise_for_status()
            found += page.json()["items"]
            cursor = page.json()["next_cursor"]
            if cursor is None:
                return found

    def _review(self, items: list[int], **verdict: Any) -> dict[str, Any]:
        return self._post("review", {"items": items, **verdict})

    def _post(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._http.post(f"/v1/jobs/{self._job}/{call}", json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _wait(self, job: dict[str, Any] | str) -> str:
        job_id = job if isinstance(job, str) else job["id"]
        began = time.perf_counter()
        wait_for(self._http, job_id)
        self.effort.waited_s += time.perf_counter() - began
        return job_id


def wait_for(http: httpx.Client, job_id: str) -> None:
    """Wait until a job has ended well."""
    while (state := http.get(f"/v1/jobs/{job_id}").json()["state"]) in ("queued", "running"):
        time.sleep(0.1)
    assert state == "succeeded", state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--examples", type=int, default=5)
    parser.add_argument("--enrolled", default="20,10")
    asked = parser.parse_args()
    if not SPORTS.is_dir():
        parser.exit(2, "expected shared/data/sports20 next to the checkout\n")
    for enrolled in map(int, asked.enrolled.split(",")):
        for name in WAYS:
            measure(name, asked.pictures, asked.examples, enrolled)


def measure(name: str, pictures: int, examples: int, enrolled: int) -> None:
    """Let a reviewer work in one way, in a service of its own."""
    with (
        service(workers=1, encoders=DEFAULT, max_items="4096") as stack,
        httpx.Client(base_url=stack.url, timeout=600) as http,
    ):
        job, truth = prepare(http, pictures, examples, enrolled)
        reviewer = Reviewer(http, job, truth, sorted(set(truth))[:enrolled])
        answers = reviewer.answers()
        WAYS[name](reviewer)
        reviewer.check()
    effort = reviewer.effort
    emit(
        "review_effort",
        way=name,
        pictures=len(truth),
        examples=examples,
        enrolled=enrolled,
        decisions=Counter(answer["decision"] for answer in answers),
        wrong=sum(one["label"] not in (None, truth[one["item"]]) for one in answers),
        presses=effort.presses,
        clicks=effort.clicks,
        looks=effort.looks,
        waited_s=round(effort.waited_s, 1),
        minutes=effort.minutes(),
        **effort.details,
    )


WAYS = {"one by one": Reviewer.one_by_one, "keys": Reviewer.by_keys, "groups and ask": Reviewer.by_groups}


def prepare(http: httpx.Client, pictures: int, examples: int, enrolled: int) -> tuple[str, list[str]]:
    """Enrol the supports and classify the queries, evenly taken; return the job and the right labels."""
    http.post("/v1/collections", json={"name": COLLECTION}).raise_for_status()
    folders = sorted((SPORTS / "support").iterdir())[:enrolled]
    supports = [path for folder in folders for path in sorted(folder.iterdir())[:examples]]
    send(http, "enroll", supports)
    every = sorted((SPORTS / "query").rglob("*.jpg"))
    chosen = [every[len(every) * n // pictures] for n in range(pictures)]
    return send(http, "classify", chosen), [path.parent.name for path in chosen]


def send(http: httpx.Client, call: str, files: Sequence[Path]) -> str:
    """Send pictures as one job, wait for it and return it."""
    items: list[dict[str, Any]] = [
        {"image": {"base64": b64encode(path.read_bytes()).decode()}, "custom_id": path.name} for path in files
    ]
    if call == "enroll":
        items = [{**item, "label": path.parent.name} for item, path in zip(items, files, strict=True)]
    answer = http.post(f"/v1/collections/{COLLECTION}/{call}", json={"items": items})
    answer.raise_for_status()
    job: str = answer.json()["id"]
    wait_for(http, job)
    return job


if __name__ == "__main__":
    main()
