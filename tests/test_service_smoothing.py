"""Smoothed bulk jobs in the running service, with processes killed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest
from archives import make_zip
from calls import make_collection
from contract import Contract
from services import Progress, finish, held_amid, running_service
from tiny import LITE0

from cli.stack import Stack

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
Results = list[dict[str, object]]
COUNT = 100


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with running_service(lease_s="3", encoders=LITE0) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(running: Stack) -> Iterator[httpx.Client]:
    contract = Contract(httpx.get(f"{running.url}/openapi.json").json())
    with httpx.Client(base_url=running.url, timeout=90, event_hooks={"response": [contract.check]}) as client:
        yield client


@pytest.fixture(scope="module")
def things(client: httpx.Client, running: Stack, digits: Digits) -> str:
    """A collection with two examples of each digit."""
    name = make_collection(client)
    files = {f"{digit}/{n}.png": digits(digit, n) for digit in range(10) for n in range(2)}
    finish(client, running, submit(client, name, make_zip(files), kind="enroll"))
    return name


@pytest.fixture(scope="module")
def archive(digits: Digits) -> bytes:
    files = {f"{n:04}-{n % 10}.png": digits(n % 10, 5 + n // 10) for n in range(COUNT)}
    return make_zip({**files, "notes.png": b"no picture"})


@pytest.fixture(scope="module")
def smoothed(client: httpx.Client, running: Stack, things: str, archive: bytes) -> str:
    """A job that was smoothed without a disturbance."""
    job = submit(client, things, archive, kind="classify", smooth="true")
    finish(client, running, job)
    return job


def submit(client: httpx.Client, collection: str, body: bytes, **query: object) -> str:
    path = f"/v1/collections/{collection}/bulk"
    answer = client.post(path, params=query, content=body, headers={"Content-Type": "application/zip"})
    assert answer.status_code == 202, answer.text
    return answer.headers["location"]


def results_of(client: httpx.Client, job: str) -> Results:
    text = client.get(f"{job}/results", headers={"Accept": "application/x-ndjson"}).text
    return [json.loads(line) for line in text.splitlines()]


def done(results: Results) -> Results:
    return [{k: v for k, v in r.items() if k != "timing_ms"} for r in results if r["status"] == "done"]


def right(results: Results) -> int:
    return sum(r["candidates"][0]["label"] == str(r["custom_id"])[5] for r in results)  # type: ignore[index]


def test_bulk_job_is_smoothed_where_it_asks_for_it(
    client: httpx.Client, running: Stack, things: str, archive: bytes, smoothed: str
) -> None:
    plain_job = submit(client, things, archive, kind="classify")
    plain, found = finish(client, running, plain_job), client.get(smoothed).json()
    assert (plain["smooth"], found["smooth"], found["note"]) == (False, True, None)
    assert found["state"] == "partial" and found["progress"]["failed"] == 1
    before, after = done(results_of(client, plain_job)), done(results_of(client, smoothed))
    assert len(before) == len(after) == COUNT
    assert all("smoothed" not in result for result in before)
    assert all(result["smoothed"] is True and result["candidate_set"] is None for result in after)
    changed = [a for b, a in zip(before, after, strict=True) if a["label"] != b["label"]]
    assert changed
    assert right(after) > right(before)
    counts = client.get(f"{smoothed}/summary").json()["labels"]
    assert counts == {label: sum(r["label"] == label for r in after) for label in counts}
    page = client.get(f"{smoothed}/results", params={"limit": 3}).json()["items"]
    assert [result["smoothed"] for result in page] == [True] * 3


@pytest.mark.parametrize("who", ["child", "worker"])
def test_smoothing_outlives_the_worker(
    client: httpx.Client, running: Stack, things: str, archive: bytes, smoothed: str, who: str
) -> None:
    def again() -> str:
        return submit(client, things, archive, kind="classify", smooth="true")

    def all_answered(progress: Progress) -> bool:  # and nothing smoothed yet, or not all
        return not progress.expanding and progress.done == COUNT

    with held_amid(running, again, all_answered) as job:
        worker = psutil.Process(running.pid_of("worker-1"))
        for child in worker.children():
            child.kill()
        if who == "worker":
            worker.kill()
    found = finish(client, running, job)
    assert (found["state"], found["note"]) == ("partial", None)
    assert done(results_of(client, job)) == done(results_of(client, smoothed))
    assert client.get(f"{job}/summary").json()["labels"] == client.get(f"{smoothed}/summary").json()["labels"]
