"""Processes that are stopped: they finish or requeue, and end with exit code 0."""

from __future__ import annotations

import json
import os
import re
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
from apart import environment_of, fork_worker
from forked import Forked
from sqlalchemy import func, select
from waiting import lives, until

from core.jobs import Item, JobKind, JobRequest, Lane
from core.settings import Settings
from runtime.ports import free_port
from store import tables as t
from store.blobs import PICTURES
from store.store import Store
from store.work.jobs import new_job_id

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


def start(settings: Settings, *command: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "exemplar_service", *command],
        env=environment_of(settings, more),
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


@pytest.fixture
def api(apart: Settings, record: Store) -> Iterator[subprocess.Popen[str]]:
    """An API that would take an hour to finish its requests, so that no time limit ends it."""
    process = start(apart, "api", "--port", "0", EXEMPLAR_STOP_S="3600", EXEMPLAR_MAX_WAIT_S="3600")
    try:
        process.url = read_url(process)  # type: ignore[attr-defined]
        yield process
    finally:
        process.kill()
        process.communicate()


def read_url(process: subprocess.Popen[str]) -> str:
    return str(json.loads(read_until(process, "api_ready"))["url"])


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return the line of the log with these words."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"no line with {words!r}")


def test_api_answers_who_waits_before_it_stops(
    api: subprocess.Popen[str], record: Store, digits: Digits
) -> None:
    answers: list[httpx.Response] = []

    def ask() -> None:
        path, headers = f"{api.url}/v1/collections/things/classify", {"Prefer": "wait=3600"}  # type: ignore[attr-defined]
        answers.append(httpx.post(path, files={"image": digits(0, 0)}, headers=headers, timeout=200))

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: record.chunks.waiting())  # submitted, and no worker runs
    api.terminate()
    asking.join()
    assert api.wait(100) == 0
    assert [answer.status_code for answer in answers] == [202]


def test_second_signal_ends_the_api_at_once(api: subprocess.Popen[str]) -> None:
    host, port = api.url.removeprefix("http://").split(":")  # type: ignore[attr-defined]
    with socket.create_connection((host, int(port))) as slow:
        head = b"POST /v1/collections HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        slow.sendall(head + b"Expect: 100-continue\r\n\r\nhalf")
        assert b" 100 " in slow.makefile("rb").readline()  # so it has been read
        api.terminate()
        read_until(api, "api_stopping")
        api.terminate()
        assert api.wait(100) == 1  # and 0 where it had not waited for the other half


def running(record: Store) -> int:
    with record.database.read() as connection:
        found = select(func.count()).where(t.chunk.c.state == "running")
        return int(connection.execute(found).scalar_one())


def test_stopped_worker_leaves_nothing_leased(apart: Settings, record: Store, digits: Digits) -> None:
    items = [Item(n, record.blobs.put(PICTURES, digits(n % 10, n // 10)), "cat") for n in range(300)]
    job = record.jobs.submit(new_job_id(), JobRequest("things", JobKind.ENROLL, Lane.BULK, items)).job.id
    worker = start(apart, "worker", "--name", "w", EXEMPLAR_SWEEP_S="0.5")
    until(lambda: record.jobs.get(job).done > 0)
    worker.terminate()
    out = worker.communicate(timeout=100)[1]
    assert worker.returncode == 0, out
    assert running(record) == 0
    done = record.jobs.get(job).done
    assert sum(waiting.items for waiting in record.chunks.waiting()) == 300 - done
    assert record.workers.alive() == []
    assert all(json.loads(line)["worker"] == "w" for line in out.splitlines())


def test_worker_whose_child_hangs_stops_within_its_limit_and_immediately_on_a_second_signal(
    apart: Settings, record: Store
) -> None:
    for signals, stop_s, code in ((1, 1, 0), (2, 3600, 1)):
        worker = fork_worker(apart, EXEMPLAR_STOP_S=str(stop_s))
        [alive] = until(lambda: record.workers.alive())
        [child] = psutil.Process(worker.pid).children()
        child.suspend()
        for _ in range(signals):
            worker.send_signal(signal.SIGTERM)
            until(lambda worker=worker: worker.poll() is not None or minds_a_stop(worker))
        assert worker.wait(100) == code
        until(lambda child=child: not lives(child))
        record.workers.leave("w", alive.owner)


def minds_a_stop(worker: Forked) -> bool:
    """Return whether a worker is stopping: it then has an alarm set, and catches its signal."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    caught = int(re.search(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)[1], 16)  # type: ignore[index]
    return bool(caught >> (signal.SIGALRM - 1) & 1)


def check(settings: Settings, what: str) -> tuple[int, str]:
    probe = fork_worker(settings, "--check", what)
    return probe.wait(100), probe.said


def let_age(heartbeat: Path, age_s: float) -> None:
    """Set the age of a heartbeat file."""
    os.utime(heartbeat, (time.time() - age_s,) * 2)


def test_probe_of_a_worker_reports_its_state(apart: Settings, record: Store) -> None:
    """And its metrics are on its own port if configured, and Ctrl-C ends it in good order."""
    code, said = check(apart, "live")
    assert code == 1 and "no heartbeat file" in said
    port = free_port()
    worker = fork_worker(apart, EXEMPLAR_METRICS_PORT=str(port))
    try:
        until(lambda: " ready." in worker.said)  # Celery's own line: before it Ctrl-C has no defined effect
        until(lambda: record.workers.alive())
        assert check(apart, "ready")[0] == check(apart, "live")[0] == 0
        assert "exemplar_sweeps_total" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert record.workers.metrics() == {}
        [child] = psutil.Process(worker.pid).children()
        child.suspend()
        heartbeat = apart.data / "workers" / "w.json"
        let_age(heartbeat, 30)
        assert check(apart, "ready")[0] == 1
        let_age(heartbeat, 16)
        assert check(apart, "live")[0] == 0
        let_age(heartbeat, 90)
        assert check(apart, "live")[0] == 1
        child.resume()
        worker.send_signal(signal.SIGINT)
        assert worker.wait(100) == 0
        assert not heartbeat.exists()
    finally:
        worker.kill()
