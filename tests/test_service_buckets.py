"""Buckets in the running service: real pictures in, answers out, and what kill -9 does to them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from calls import make_collection
from contract import Contract
from s3 import BUCKET, KEYS, s3_running
from services import Progress, finish, held_amid, running_service
from test_cli_commands import run
from test_remote_s3 import client_of
from test_service_bulk import results_of

from cli.stack import Stack

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
PICTURES = 360  # three times what is read ahead


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_running() as url, pytest.MonkeyPatch.context() as environment:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": url}.items():
            environment.setenv(name, value)
        yield url


@pytest.fixture(scope="module")
def running(s3: str) -> Iterator[Stack]:
    settings = {"lease_s": "3", "bulk_window_items": "120", "remote_prefixes": f"s3://{BUCKET}/in/"}
    with running_service(Path(tempfile.mkdtemp(prefix="exemplar-buckets-")), **settings) as stack:
        yield stack


@pytest.fixture
def client(running: Stack) -> Iterator[httpx.Client]:
    contract = Contract(httpx.get(f"{running.url}/openapi.json").json())
    with httpx.Client(base_url=running.url, timeout=90, event_hooks={"response": [contract.check]}) as client:
        yield client


def post(client: httpx.Client, collection: str, prefix: str, **query: object) -> httpx.Response:
    path = f"/v1/collections/{collection}/bulk"
    return client.post(path, params=query, json={"prefix": prefix})


def test_bucket_is_enrolled_and_classified(
    client: httpx.Client, running: Stack, s3: str, digits: Digits
) -> None:
    names = make_collection(client)
    objects = client_of(s3)
    for digit in (0, 1):
        for n in range(5):
            key = f"in/taught/digit {digit}/{n}.png"
            objects.put_object(Bucket=BUCKET, Key=key, Body=digits(digit, n))
        objects.put_object(Bucket=BUCKET, Key=f"in/new/{digit}.png", Body=digits(digit, 30))
    objects.put_object(Bucket=BUCKET, Key="in/new/notes.txt", Body=b"no picture")
    prefix = f"s3://{BUCKET}/in/taught/"
    told = post(client, names, prefix, kind="enroll", dry_run=True).json()
    assert {one["label"]: one["items"] for one in told["classes"]} == {"digit 0": 5, "digit 1": 5}
    job = post(client, names, prefix, kind="enroll").headers["location"]
    assert finish(client, running, job)["progress"]["done"] == 10
    job = post(client, names, f"s3://{BUCKET}/in/new/*.png", kind="classify").headers["location"]
    finish(client, running, job)
    assert [(one["custom_id"], one["candidates"][0]["label"]) for one in results_of(client, job)] == [
        ("0.png", "digit 0"), ("1.png", "digit 1")
    ]  # fmt: skip
    thumbnail = client.get(f"{job}/items/0/thumbnail")
    assert thumbnail.headers["content-type"] == "image/jpeg"
    past = {"label": "digit 0", "image": {"job": {"id": job.rpartition("/")[2], "item": 0}}}
    enrolled = client.post(
        f"/v1/collections/{names}/enroll", json={"items": [past]}, headers={"Prefer": "wait=60"}
    )
    assert enrolled.json()["state"] == "succeeded", enrolled.text
    objects.delete_object(Bucket=BUCKET, Key="in/new/1.png")
    assert client.get(f"{job}/items/1/thumbnail").json()["code"] == "blob_not_found"


def test_commands_take_prefixes(
    client: httpx.Client, running: Stack, s3: str, digits: Digits, tmp_path: Path
) -> None:
    names = make_collection(client)
    objects = client_of(s3)
    for digit in (3, 4):
        for n in range(3):
            objects.put_object(Bucket=BUCKET, Key=f"in/cli/digit {digit}/{n}.png", Body=digits(digit, n))
        objects.put_object(Bucket=BUCKET, Key=f"in/inbox/a b {digit}.png", Body=digits(digit, 30))
    objects.put_object(Bucket=BUCKET, Key="in/inbox/notes.txt", Body=b"no picture")
    done = run("enroll", f"s3://{BUCKET}/in/cli", "-c", names, url=running.url)
    assert (done.returncode, done.stdout) == (
        0,
        f"6 enrolled in 2 classes of {names}, 0 already there, 0 failed\n",
    )
    inbox, out = f"s3://{BUCKET}/in/inbox/", tmp_path / "rows.jsonl"
    done = run("tag", inbox, "-c", names, "--out", str(out), "--quiet", url=running.url)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["path"], row["candidates"][0]["label"]) for row in rows] == [
        (f"{inbox}a b {digit}.png", f"digit {digit}") for digit in (3, 4)
    ]
    watch = ("watch", inbox, "-c", names, "--state", str(tmp_path / "state"), "--sidecar=json", "--once")
    done = run(*watch, url=running.url)
    assert (done.returncode, done.stderr.strip()) == (0, "2 tagged, 0 failed")
    sidecar = objects.get_object(Bucket=BUCKET, Key="in/inbox/a b 3.png.exemplar.json")["Body"].read()
    assert json.loads(sidecar)["candidates"][0]["label"] == "digit 3"
    done = run(*watch, url=running.url)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        (f"s3://{BUCKET}/out/", "url_not_allowed"),
        ("/etc", "url_not_allowed"),
        (f"s3://{BUCKET}/in/nothing/", "archive_empty"),
    ],
)
def test_what_cannot_be_listed_is_refused_at_once(client: httpx.Client, prefix: str, code: str) -> None:
    answer = post(client, make_collection(client), prefix, kind="classify")
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_job_outlives_the_worker_that_lists_the_bucket(
    client: httpx.Client, running: Stack, s3: str, digits: Digits
) -> None:
    objects = client_of(s3)
    for n in range(PICTURES):
        objects.put_object(Bucket=BUCKET, Key=f"in/many/{n:04}.png", Body=digits(n % 10, n // 10))

    def submit() -> str:
        answer = post(client, make_collection(client), f"s3://{BUCKET}/in/many/", kind="enroll")
        assert answer.status_code == 202, answer.text
        return answer.headers["location"]

    def amid(progress: Progress) -> bool:
        return progress.done > 0 and progress.expanding and progress.total < PICTURES

    with held_amid(running, submit, amid) as job:
        worker = psutil.Process(running.pid_of("worker-1"))
        [child] = worker.children()
        worker.kill()
        child.kill()
    objects.delete_object(Bucket=BUCKET, Key=f"in/many/{PICTURES - 1:04}.png")
    finish(client, running, job)
    results = results_of(client, job)
    names = [f"{n:04}.png" for n in range(PICTURES)]
    assert [one["custom_id"] for one in results][: PICTURES - 1] == names[:-1]
    assert {one["status"] for one in results[: PICTURES - 1]} == {"done"}
    assert {one["duplicate_of"] for one in results[: PICTURES - 1]} == {None}
