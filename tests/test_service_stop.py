"""Processes that are told to stop: they finish or hand back, and end with exit code 0."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import redis
from sqlalchemy import func, select

from core.settings import Settings
from core.types import Item, JobKind, JobRequest, Lane, Rule
from store import tables as t
from store.blobs import PICTURES
from store.migrate import ensure_schema
from store.store import Store, open_store
from store.work.jobs import new_job_id

Digits = Callable[[int, int], bytes]

pytestmark = pytest.mark.timeout(400)  # each starts processes, which take long on a busy machine


def until(what: Callable[[], object], timeout_s: float = 150) -> None:
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def apart(tmp_path: Path, redis_url: str) -> Iterator[Settings]:
    """Settings of a service of which nothing but Redis runs."""
    with redis.Redis.from_url(redis_url) as connection:
        connection.flushall()
    yield Settings(data=tmp_path, redis_url=redis_url)


@pytest.fixture
def record(apart: Settings) -> Iterator[Store]:
    store = open_store(apart)
    ensure_schema(store.database)
    store.collections.create("things", "compact", Rule())
    yield store
    store.database.close()


def start(settings: Settings, *command: str, **more: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "EXEMPLAR_DATA": str(settings.data),
        "EXEMPLAR_REDIS_URL": settings.redis_url,
        **more,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *command],
        env=environment,
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


@pytest.fixture
def api(apart: Settings, record: Store) -> Iterator[subprocess.Popen[str]]:
    process = start(apart, "api", "--port", "0")
    try:
        process.url = read_url(process)  # type: ignore[attr-defined]
        yield process
    finally:
        process.kill()
        process.communicate()


def read_url(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if "api_ready" in line:
            return str(json.loads(line)["url"])
    raise AssertionError("the API did not start")


def test_api_answers_who_waits_before_it_stops(api: subprocess.Popen[str], digits: Digits) -> None:
    answers: list[httpx.Response] = []

    def ask() -> None:
        path, headers = f"{api.url}/v1/collections/things/classify", {"Prefer": "wait=50"}  # type: ignore[attr-defined]
        answers.append(httpx.post(path, files={"image": digits(0, 0)}, headers=headers, timeout=60))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(2)
    start_s = time.monotonic()
    api.terminate()
    asking.join(30)
    assert api.wait(30) == 0
    assert time.monotonic() - start_s < 20
    assert [answer.status_code for answer in answers] == [202]


def test_second_signal_ends_the_api_at_once(api: subprocess.Popen[str]) -> None:
    host, port = api.url.removeprefix("http://").split(":")  # type: ignore[attr-defined]
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(b"POST /v1/collections HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        time.sleep(1)
        api.terminate()
        time.sleep(2)
        assert api.poll() is None
        api.terminate()
        assert api.wait(5) == 1


def running(record: Store) -> int:
    with record.database.read() as connection:
        found = select(func.count()).where(t.chunk.c.state == "running")
        return int(connection.execute(found).scalar_one())


def test_worker_that_is_told_to_stop_leaves_nothing_leased(
    apart: Settings, record: Store, digits: Digits
) -> None:
    items = [Item(n, record.blobs.put(PICTURES, digits(n % 10, n // 10)), "cat") for n in range(600)]
    job = record.jobs.submit(new_job_id(), JobRequest("things", JobKind.ENROLL, Lane.BULK, items)).job.id
    worker = start(apart, "worker", "--name", "w", EXEMPLAR_SWEEP_S="0.5")
    until(lambda: record.jobs.get(job).done > 0)
    worker.terminate()
    out = worker.communicate(timeout=40)[1]
    assert worker.returncode == 0, out
    assert running(record) == 0
    done = record.jobs.get(job).done
    assert sum(waiting.items for waiting in record.chunks.waiting()) == 600 - done
    assert record.workers.alive() == []
    assert all(json.loads(line)["worker"] == "w" for line in out.splitlines())


def test_worker_whose_child_hangs_stops_within_its_bound_and_at_once_when_told_again(
    apart: Settings, record: Store
) -> None:
    for signals, code in ((1, 0), (2, 1)):
        worker = start(apart, "worker", "--name", "w", EXEMPLAR_STOP_S="1")
        until(lambda: record.workers.alive())
        [child] = psutil.Process(worker.pid).children()
        child.suspend()
        for _ in range(signals):
            worker.send_signal(signal.SIGTERM)
            time.sleep(0.5)
        worker.communicate(timeout=30)
        assert worker.returncode == code
        until(lambda child=child: not child.is_running())
        record.workers.leave("w", record.workers.alive()[0].owner)


def check(settings: Settings, what: str) -> tuple[int, str]:
    probe = start(settings, "worker", "--name", "w", "--check", what)
    return (probe.wait(60), probe.communicate()[1])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_probe_of_a_worker_tells_the_truth(apart: Settings, record: Store) -> None:
    """And its metrics are at its own port where that is asked for, and Ctrl-C ends it in good order."""
    code, said = check(apart, "live")
    assert code == 1 and "no sign of life" in said
    port = free_port()
    worker = start(apart, "worker", "--name", "w", EXEMPLAR_METRICS_PORT=str(port))
    try:
        until(lambda: record.workers.alive())
        assert check(apart, "ready")[0] == check(apart, "live")[0] == 0
        assert "exemplar_sweeps_total" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert record.workers.metrics() == {}
        [child] = psutil.Process(worker.pid).children()
        child.suspend()
        sign = apart.data / "workers" / "w.json"
        os.utime(sign, (time.time() - 30, time.time() - 30))  # as it is after so long
        assert check(apart, "ready")[0] == 1
        assert check(apart, "live")[0] == 0
        os.utime(sign, (time.time() - 90, time.time() - 90))
        assert check(apart, "live")[0] == 1
        child.resume()
        worker.send_signal(signal.SIGINT)
        worker.communicate(timeout=40)
        assert worker.returncode == 0
        assert not sign.exists()
    finally:
        worker.kill()
        worker.communicate()
