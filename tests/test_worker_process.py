"""Worker processes that are killed, stopped, frozen or cannot start."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest
import redis
from apart import environment_of, fork, fork_worker
from calls import codes, enroll, files
from forked import Forked
from records import postgres_database
from services import Progress, finish, held, held_amid
from tiny import TINY
from waiting import lives, until

from cli.stack import Stack
from core.jobs import Item, JobKind, JobRequest, JobState, Lane
from core.settings import Settings
from store import tables as t
from store.blobs import PICTURES
from store.store import Store
from store.work.jobs import new_job_id
from store.work.leases import Lease

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


def submit(http: httpx.Client, collection: str, digits: Digits, *, start: int = 0) -> str:
    """Enrol 160 different pictures as one job and return its path."""
    pictures = files(*(digits(n % 10, start + n // 10) for n in range(160)))
    path = f"/v1/collections/{collection}/enroll"
    return http.post(path, data={"label": "digit"}, files=pictures).headers["location"]


def submit_anew(http: httpx.Client, collection: str, digits: Digits) -> Callable[[], str]:
    """Return a function that enrols 160 different pictures at each call."""
    starts = itertools.count(0, 16)
    return lambda: submit(http, collection, digits, start=next(starts))


def is_under_way(progress: Progress) -> bool:
    return 0 < progress.done < progress.total


def check_nothing_lost_or_doubled(http: httpx.Client, collection: str, job: str) -> None:
    results = http.get(f"{job}/results", params={"limit": 500}).json()["items"]
    assert [result["item"] for result in results] == list(range(160))
    assert set(codes(results)) == {""}
    assert {result["duplicate_of"] for result in results} == {None}
    jobs = [one for one in http.get("/v1/jobs").json()["items"] if one["collection"] == collection]
    supports = http.get(f"/v1/collections/{collection}/supports", params={"limit": 1000}).json()["items"]
    made = {result["support_id"] for result in results}
    assert len(made) == 160 and made <= {support["id"] for support in supports}
    assert len(supports) == 160 * len(jobs)


def test_job_outlives_its_pool_child(
    http: httpx.Client, service: Stack, collection: str, digits: Digits
) -> None:
    with held_amid(service, submit_anew(http, collection, digits), is_under_way) as job:
        [child] = psutil.Process(service.pid_of("worker-1")).children()
        child.kill()
    finish(http, service, job)
    check_nothing_lost_or_doubled(http, collection, job)


def test_job_outlives_its_worker(http: httpx.Client, service: Stack, collection: str, digits: Digits) -> None:
    with held_amid(service, submit_anew(http, collection, digits), is_under_way) as job:
        worker = psutil.Process(service.pid_of("worker-1"))
        [child] = worker.children()
        worker.kill()
    finish(http, service, job)
    check_nothing_lost_or_doubled(http, collection, job)
    until(lambda: not lives(child))


def test_job_outlives_the_queue_that_forgets_all(
    http: httpx.Client, service: Stack, collection: str, digits: Digits
) -> None:
    with held(service):
        job = submit(http, collection, digits)
        with redis.Redis.from_url(service.environment["EXEMPLAR_REDIS_URL"]) as connection:
            connection.flushall()
    finish(http, service, job)
    check_nothing_lost_or_doubled(http, collection, job)


def test_job_outlives_redis(http: httpx.Client, service: Stack, collection: str, digits: Digits) -> None:
    os.kill(service.pid_of("redis"), signal.SIGKILL)
    job = submit(http, collection, digits)
    finish(http, service, job)
    check_nothing_lost_or_doubled(http, collection, job)
    assert codes(enroll(http, collection, "more", digits(0, 100))) == [""]


def start(settings: Settings, **more: str) -> Forked:
    return fork_worker(settings, EXEMPLAR_SWEEP_S="0.5", **more)


def ask(store: Store, picture: bytes, lane: Lane = Lane.INTERACTIVE) -> str:
    items = [Item(0, store.blobs.put(PICTURES, picture), "cat")]
    request = JobRequest("things", JobKind.ENROLL, lane, items)
    return store.jobs.submit(new_job_id(), request).job.id


def test_worker_takes_up_what_its_earlier_life_left(apart: Settings, record: Store, digits: Digits) -> None:
    """And stops in good order: exit code 0, no lease, no heartbeat file."""
    job = ask(record, digits(0, 0))
    record.chunks._lease = Lease(t.chunk, 3600.0)
    [left] = record.chunks.claim("w:earlier", TINY, list(Lane), 9)
    worker = start(apart)
    until(lambda: record.jobs.get(job).state is JobState.SUCCEEDED)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(100) == 0, worker.said
    assert record.workers.alive() == []
    assert record.chunks.renew("w:earlier") == 0
    assert left.attempts == 1


def test_worker_whose_encoder_cannot_load_says_so_and_ends(apart: Settings, record: Store) -> None:
    """Not forked: its child would fail sooner than any real one, before the worker listens."""
    given = {"EXEMPLAR_ENCODERS": "timm:resnet18@/nowhere/weights.safetensors"}
    run = [sys.executable, "-m", "exemplar_service", "worker", "--name", "w"]
    worker = subprocess.run(
        run, env=environment_of(apart, given), capture_output=True, text=True, timeout=100
    )
    said = worker.stdout + worker.stderr
    assert worker.returncode == 1, said
    lines = [line for line in said.splitlines() if "worker_cannot_start" in line]
    assert len(lines) == 1 and "/nowhere/weights.safetensors" in lines[0]
    assert "Traceback" not in said


@pytest.fixture
def ascii_url(postgres_url: str) -> Iterator[str]:
    """A database that cannot hold every label."""
    with postgres_database(postgres_url, "ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0") as url:
        yield url


@pytest.mark.parametrize(
    ("command", "code"), [(("worker", "--name", "w"), 1), (("api", "--port", "0"), 2)], ids=["worker", "api"]
)
def test_process_that_the_record_refuses_says_so_once_and_ends_when_stopped(
    command: tuple[str, ...], code: int, apart: Settings, ascii_url: str
) -> None:
    process = fork(apart, *command, EXEMPLAR_DATABASE_URL=ascii_url)
    until(lambda: "record_encoding_invalid" in process.said)
    assert process.poll() is None  # whatever restarts it would do so at once
    process.send_signal(signal.SIGTERM)
    assert process.wait(100) == code
    [said] = [line for line in process.said.splitlines() if "record_encoding_invalid" in line]
    assert "expected a database with the encoding UTF8, got SQL_ASCII" in said
    assert "Traceback" not in process.said


def test_frozen_worker_ends_itself_while_work_waits(apart: Settings, record: Store, digits: Digits) -> None:
    worker = start(apart, EXEMPLAR_STALL_S="2")
    until(lambda: record.workers.alive())
    [child] = psutil.Process(worker.pid).children()
    worker.send_signal(signal.SIGSTOP)
    answered = ask(record, digits(0, 0))  # its child needs no other process for that
    until(lambda: record.jobs.get(answered).state is JobState.SUCCEEDED)
    job = ask(record, digits(0, 1), Lane.BULK)
    assert worker.wait(100) == -signal.SIGKILL
    assert "worker_stalled" in worker.said
    assert record.jobs.get(job).state is JobState.QUEUED
    until(lambda: not lives(child))
