"""Events, pause and webhooks over the wire of the running service."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest
from archives import make_zip
from calls import WAIT, ask, enroll, files
from receiving import SECRET, Receiver, receiving
from services import Progress, held, held_amid, running_service
from standardwebhooks import Webhook
from waiting import until

from cli.stack import Stack
from core.settings import Settings

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
WATCHERS = 50


def submit(http: httpx.Client, collection: str, digits: Digits) -> str:
    """Classify 250 pictures and return the job's path."""
    pictures = files(*(digits(n % 10, n // 10) for n in range(250)))
    job = http.post(f"/v1/collections/{collection}/classify", files=pictures).json()
    return f"/v1/jobs/{job['id']}"


def submit_and_pause(http: httpx.Client, service: Stack, collection: str, digits: Digits) -> str:
    """Submit a job of 250 pictures and pause it before it starts; return its path."""
    with held(service):
        path = submit(http, collection, digits)
        assert http.post(f"{path}/pause").json()["state"] == "paused"
    return path


def has_begun(progress: Progress) -> bool:
    """Return whether more of 250 pictures is open than what a worker can hold."""
    return 0 < progress.done < 100


def await_state(http: httpx.Client, path: str, state: str) -> dict[str, object]:
    return until(lambda: next((job for job in [http.get(path).json()] if job["state"] == state), None)) or {}


def test_fifty_watchers_do_not_freeze_the_service(
    service: Stack, http: httpx.Client, collection: str, digits: Digits
) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    path = submit_and_pause(http, service, collection, digits)
    started = threading.Barrier(WATCHERS + 1)

    def watch(_: int) -> tuple[int, str]:
        with (
            httpx.Client(base_url=service.url, timeout=90) as client,
            client.stream("GET", f"{path}/events") as response,
        ):
            if response.status_code != 200:
                started.wait()
                assert int(response.headers["Retry-After"]) > 0
                return response.status_code, json.loads(response.read())["code"]
            lines = response.iter_lines()
            while not next(lines).startswith("event: "):
                pass
            started.wait()
            last = ""
            for line in lines:
                if line.startswith("event: "):
                    last = line
            return 200, last

    with ThreadPoolExecutor(WATCHERS) as pool:
        watching = [pool.submit(watch, n) for n in range(WATCHERS)]
        started.wait(timeout=90)
        for _ in range(20):  # none of these would answer before the job continues
            assert http.get("/healthz").status_code == 200
        assert ask(http, collection, digits(0, 1))[0]["label"] == "zero"
        http.post(f"{path}/resume")
        outcomes = [future.result(timeout=90) for future in watching]
    places = Settings().http_threads // 4
    assert outcomes.count((200, "event: end")) == places
    assert outcomes.count((503, "streams_full")) == WATCHERS - places
    assert httpx.get(f"{service.url}{path}/events").status_code == 200  # their slots are free again


def test_watcher_that_hangs_up_gives_its_place_back(
    service: Stack, http: httpx.Client, collection: str, digits: Digits
) -> None:
    path = submit_and_pause(http, service, collection, digits)
    with httpx.Client(base_url=service.url, timeout=90) as client:
        for _ in range(Settings().http_threads // 4):
            response = client.send(client.build_request("GET", f"{path}/events"), stream=True)
            assert response.status_code == 200
            next(response.iter_lines())

    def has_a_place() -> bool:
        with httpx.stream("GET", f"{service.url}{path}/events", timeout=90) as response:
            return response.status_code == 200

    until(has_a_place)  # noticed at the next heartbeat
    http.post(f"{path}/cancel")


def test_paused_job_frees_the_worker_and_continues_when_resumed(
    service: Stack, http: httpx.Client, collection: str, digits: Digits
) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    with held_amid(service, lambda: submit(http, collection, digits), has_begun) as path:
        assert http.post(f"{path}/pause").json()["state"] == "paused"
    assert ask(http, collection, digits(0, 1))[0]["status"] == "done"
    assert http.get(path).json()["state"] == "paused"
    http.post(f"{path}/resume")
    ended = await_state(http, path, "succeeded")
    assert ended["progress"]["done"] == 250  # type: ignore[index]


def test_cancel_frees_the_worker_within_a_batch(
    service: Stack, http: httpx.Client, collection: str, digits: Digits
) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    with held_amid(service, lambda: submit(http, collection, digits), has_begun) as job:
        assert http.post(f"{job}/cancel").json()["state"] == "cancelled"
    assert ask(http, collection, digits(0, 1))[0]["status"] == "done"
    assert http.get(job).json()["progress"]["done"] < 250


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture(scope="module")
def telling() -> Iterator[Stack]:
    """A separate service that may call webhooks on loopback."""
    settings = {
        "webhooks": "127.0.0.1",
        "webhook_secret": SECRET,
        "webhook_private": "true",
        "sweep_s": "0.5",
    }
    with running_service(is_forked=False, **settings) as stack:
        yield stack


def kill_workers() -> None:
    """Kill the workers of this test's service, like a machine that runs out of memory."""
    for process in psutil.Process().children(recursive=True):
        try:
            ours = process.environ().get("EXEMPLAR_WEBHOOKS") == "127.0.0.1"
            is_worker = "worker" in process.cmdline()
        except psutil.NoSuchProcess:
            continue
        if ours and is_worker:
            os.kill(process.pid, signal.SIGKILL)


def test_end_of_a_bulk_job_calls_its_webhook(telling: Stack, receiver: Receiver, digits: Digits) -> None:
    with httpx.Client(base_url=telling.url, timeout=90) as client:
        client.post("/v1/collections", json={"name": "things"})
        enroll(client, "things", "zero", digits(0, 0))
        answer = client.post(
            "/v1/collections/things/bulk",
            params={"kind": "classify", "webhook": f"{receiver.url}/hook"},
            content=make_zip({"a.png": digits(0, 1), "b.png": b"no picture"}),
            headers={"Content-Type": "application/zip"},
        )
        assert answer.status_code == 202, answer.text
    receiver.wait(1, 90)
    received = Webhook(SECRET).verify(receiver.requests[0].body, receiver.requests[0].headers)
    assert (received["data"]["id"], received["data"]["state"]) == (answer.json()["id"], "partial")
    assert received["data"]["progress"] == {"total": 2, "done": 1, "failed": 1}


def test_webhook_outlives_a_worker_that_is_killed_over_it(
    telling: Stack, receiver: Receiver, digits: Digits
) -> None:
    reached, released = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        reached.set()
        released.wait(90)

    receiver.statuses = [hang]
    with httpx.Client(base_url=telling.url, timeout=90) as client:
        client.post("/v1/collections", json={"name": "things"})
        enroll(client, "things", "zero", digits(0, 0))
        job = client.post(
            "/v1/collections/things/classify",
            params={"webhook": f"{receiver.url}/hook"},
            files=files(digits(0, 1)),
            headers=WAIT,
        ).json()
        assert reached.wait(90)
        dead = telling.pid_of("worker-1")
        kill_workers()
        released.set()

        def is_back() -> bool:
            telling.restart_dead()  # it waits before it starts one again that has lived for a moment only
            return telling.pid_of("worker-1") not in (0, dead)

        until(is_back)
        receiver.wait(2, 90)
        first, second = receiver.requests[:2]
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body
        received = Webhook(SECRET).verify(second.body, second.headers)
        assert (received["data"]["id"], received["data"]["state"]) == (job["id"], "succeeded")

        def delivered() -> dict[str, Any] | None:
            [delivery] = client.get(f"/v1/jobs/{job['id']}/deliveries").json()["items"]
            return delivery if delivery["state"] == "delivered" else None

        delivery = until(delivered) or {}
        assert [(attempt["number"], attempt["status"]) for attempt in delivery["attempts"]] == [(2, 204)]
