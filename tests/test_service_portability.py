"""Reindex, export and import in the running service, under continuous requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from adapted import timm
from calls import WAIT, ask, enroll, files, make_collection
from contract import Contract
from safetensors.torch import save_file
from services import finish, running_service
from test_cli_commands import run
from test_store_bundle import changed
from tiny import TINY
from waiting import until

from cli.stack import Stack

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
OF_CLASS = 12


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny encoder with random weights."""
    file = tmp_path_factory.mktemp("weights") / "vit.safetensors"
    save_file(timm.create_model("test_vit", num_classes=0).state_dict(), file)
    return f"timm:test_vit@{file}"


@pytest.fixture(scope="module")
def running(other: str) -> Iterator[Stack]:
    with running_service(lease_s="3", encoders=f"{TINY},{other}", chunk_items="4") as stack:
        yield stack


@pytest.fixture(scope="module")
def client(running: Stack) -> Iterator[httpx.Client]:
    contract = Contract(httpx.get(f"{running.url}/openapi.json").json())
    with httpx.Client(base_url=running.url, timeout=90, event_hooks={"response": [contract.check]}) as client:
        yield client


@pytest.fixture(scope="module")
def things(client: httpx.Client, digits: Digits) -> str:
    """A collection of ten digits, which no test changes."""
    return of_digits(client, digits)


def of_digits(client: httpx.Client, digits: Digits) -> str:
    """Return a new collection of ten digits."""
    name = make_collection(client, encoder=TINY)
    for digit in range(10):
        enroll(client, name, str(digit), *(digits(digit, n) for n in range(OF_CLASS)))
    return name


class Asking(threading.Thread):
    """Classifies one picture after the other until it is stopped."""

    def __init__(self, url: str, collection: str, picture: bytes) -> None:
        super().__init__(daemon=True)
        self.jobs: list[str] = []
        self._http = httpx.Client(base_url=url, timeout=90)
        self._path = f"/v1/collections/{collection}/classify"
        self._picture = picture
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set():
            answer = self._http.post(
                self._path, content=self._picture, headers={"Content-Type": "image/png", "Prefer": "wait=60"}
            )
            assert answer.is_success, answer.text
            self.jobs.append(answer.headers["location"])

    def await_more(self) -> None:
        """Wait until a request that starts now has been answered."""
        enough = len(self.jobs) + 2  # one is already in progress
        until(lambda: len(self.jobs) >= enough)

    def stop(self) -> None:
        """Send no more requests."""
        self._stopped.set()
        self.join()
        self._http.close()


def until_seen(client: httpx.Client, running: Stack, path: str) -> dict[str, Any]:
    def rested() -> dict[str, Any] | None:
        running.restart_dead()
        found = client.get(path).json()
        return None if found["working"] else found

    return until(rested) or {}


def test_encoder_is_changed_and_changed_back_while_people_ask_and_a_worker_is_killed(
    client: httpx.Client, running: Stack, digits: Digits, other: str
) -> None:
    things = of_digits(client, digits)
    path = f"/v1/collections/{things}/reindex"
    before = ask(client, things, digits(3, 15))[0]
    asking = Asking(running.url, things, digits(3, 15))
    asking.start()
    asking.await_more()
    begun = client.post(path, json={"encoder": other})
    assert begun.status_code == 202
    job = begun.headers["location"]
    until(lambda: client.get(job).json()["progress"]["done"] > 0)
    worker = psutil.Process(running.pid_of("worker-1"))
    for child in worker.children():
        child.kill()
    worker.kill()
    running.restart_dead()
    path_of = f"/v1/collections/{things}/enroll"
    taught = client.post(path_of, data={"label": "new"}, files=files(digits(0, 20))).headers["location"]
    assert finish(client, running, taught)["state"] == "succeeded"
    assert finish(client, running, job)["state"] == "succeeded"
    assert client.get(f"{job}/results").json()["items"][0]["status"] == "done"
    found = until_seen(client, running, path)
    assert (found["supports"], found["embedded"]) == (121, 121)
    answer = client.get(f"{path}/comparison", headers=WAIT)
    assert answer.status_code == 200, answer.text
    compared = answer.json()
    assert (compared["encoder"], compared["other"], compared["compared"]) == (TINY, other, 121)
    assert compared["report"]["accuracy"] > compared["other_report"]["accuracy"]
    assert compared["changed"]["total"] == len(compared["changed"]["items"]) > 0
    switched = client.post(f"{path}/switch", json={})
    assert switched.status_code == 200, switched.text
    after = ask(client, things, digits(3, 15))[0]
    assert (after["encoder"], after["index_version"]) == (other, switched.json()["version"])
    assert client.get(f"/v1/collections/{things}").json()["encoder"] == other
    assert enroll(client, things, "newer", digits(1, 20))[0]["status"] == "done"
    until_seen(client, running, path)
    asking.await_more()
    assert client.post(f"{path}/back", json={}).status_code == 200
    again = ask(client, things, digits(3, 15))[0]
    asking.stop()
    assert {finish(client, running, one)["state"] for one in asking.jobs} == {"succeeded"}
    results = [client.get(f"{one}/results").json()["items"][0] for one in asking.jobs]
    assert (again["encoder"], again["label"]) == (TINY, before["label"])
    assert {result["encoder"] for result in results} == {TINY, other}
    assert client.delete(path).status_code == 204
    assert client.get(path).json()["code"] == "reindex_not_found"
    assert client.post(path, json={"encoder": "timm:resnet50"}).json()["code"] == "encoder_not_offered"


def test_file_of_a_collection_makes_the_same_collection(
    client: httpx.Client, running: Stack, things: str, digits: Digits, tmp_path: Path
) -> None:
    file = tmp_path / "things.zip"
    done = run("export", things, "--out", str(file), "--pictures", url=running.url)
    assert done.returncode == 0, done.stderr
    assert run("export", things, "--out", str(file), url=running.url).returncode == 2
    done = run("import", str(file), "--as", f"{things}-2", url=running.url)
    assert done.returncode == 0, done.stderr
    done = run("import", str(file), "--as", f"{things}-2", url=running.url)  # the same again
    assert done.returncode == 0, done.stderr
    kept = ("decision", "label", "confidence", "candidates", "candidate_set", "rule", "novelty")
    pictures = [digits(digit, 15) for digit in range(10)]
    one, two = ask(client, things, *pictures), ask(client, f"{things}-2", *pictures)
    assert [[r[k] for k in kept] for r in one] == [[r[k] for k in kept] for r in two]
    first = client.get(f"/v1/collections/{things}-2/supports", params={"limit": 1}).json()["items"][0]
    thumbnail = f"/v1/collections/{things}-2/supports/{first['id']}/thumbnail"
    assert client.get(thumbnail).headers["content-type"] == "image/jpeg"


def test_pictures_of_a_file_are_embedded_again(
    client: httpx.Client, running: Stack, things: str, other: str
) -> None:
    body = client.get(f"/v1/collections/{things}/export", params={"pictures": "true"}).content
    headers = {"Content-Type": "application/zip"}
    query = {"name": f"{things}-3", "encoder": other}
    begun = client.post("/v1/import", params=query, content=body, headers=headers)
    assert begun.status_code == 202, begun.text
    assert finish(client, running, begun.headers["location"])["state"] == "succeeded"
    made = client.get(f"/v1/collections/{things}-3").json()
    assert (made["encoder"], made["supports"]) == (other, 10 * OF_CLASS)


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "body_empty"), (b"PK\x05\x06" + bytes(18), "bundle_invalid"), (b"no zip", "bundle_invalid")],
)
def test_what_is_no_file_of_ours_is_refused(client: httpx.Client, body: bytes, code: str) -> None:
    answer = client.post("/v1/import", content=body, headers={"Content-Type": "application/zip"})
    assert answer.json()["code"] == code


def test_rule_that_no_collection_may_have_is_refused(client: httpx.Client, things: str) -> None:
    def greedy(manifest: bytes) -> bytes:
        found = json.loads(manifest)
        found["rule"]["k"] = 10**9
        return json.dumps(found).encode()

    whole = client.get(f"/v1/collections/{things}/export").content
    answer = client.post(
        "/v1/import",
        params={"name": f"{things}-5"},
        content=changed(whole, "manifest.json", greedy, honest=True),
        headers={"Content-Type": "application/zip"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "bundle_invalid")
    assert "rule/k" in answer.json()["detail"]
    assert client.get("/v1/collections").status_code == 200


def test_damaged_file_fails_its_job_and_leaves_no_collection(
    client: httpx.Client, running: Stack, things: str
) -> None:
    body = bytearray(client.get(f"/v1/collections/{things}/export").content)
    place = body.index(b"supports/vectors.npy") + 500
    body[place] ^= 1
    begun = client.post(
        "/v1/import",
        params={"name": f"{things}-4"},
        content=bytes(body),
        headers={"Content-Type": "application/zip"},
    )
    assert finish(client, running, begun.headers["location"])["state"] == "failed"
    until(
        lambda: client.get(f"/v1/collections/{things}-4").status_code == 404
    )  # just after the job has ended
