"""Bulk jobs in the running service: real pictures in, answers out, and what kill -9 does to them."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import psutil
import pytest
from archives import make_tar, make_zip
from calls import WAIT, make_collection
from contract import Contract
from services import Progress, finish, held_amid, running_service
from sqlalchemy import select
from waiting import until

from cli.stack import Stack
from core.settings import Settings
from store import tables as t
from store.record.keys import Scope
from store.store import open_store

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
PICTURES = 480  # four times what is read ahead


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """A service that reads only a little ahead, with its own folder that callers may name."""
    folder = Path(tempfile.mkdtemp(prefix="exemplar-bulk-"))
    (folder / "photos").mkdir()
    settings = {
        "lease_s": "3",
        "bulk_window_items": "120",
        "roots": str(folder / "photos"),
        "max_body_bytes": "100000",
        "bulk_max_bytes": "30000000",
    }
    with running_service(folder, **settings) as stack:
        yield stack


@pytest.fixture
def client(running: Stack) -> Iterator[httpx.Client]:
    contract = Contract(httpx.get(f"{running.url}/openapi.json").json())
    with httpx.Client(base_url=running.url, timeout=90, event_hooks={"response": [contract.check]}) as client:
        yield client


@pytest.fixture
def birds(client: httpx.Client) -> str:
    return make_collection(client)


def bulk(
    client: httpx.Client, collection: str, body: bytes, media_type: str = "application/zip", **query: object
) -> httpx.Response:
    path = f"/v1/collections/{collection}/bulk"
    return client.post(path, params=query, content=body, headers={"Content-Type": media_type, **WAIT})


def results_of(client: httpx.Client, job: str) -> list[dict[str, object]]:
    text = client.get(f"{job}/results", headers={"Accept": "application/x-ndjson"}).text
    return [json.loads(line) for line in text.splitlines()]


def test_zip_of_folders_is_enrolled_and_a_manifest_classified(
    client: httpx.Client, birds: str, digits: Digits
) -> None:
    files = {f"train/digit {d}/{n}.png": digits(d, n) for d in (0, 1) for n in range(5)}
    files["train/digit 0/again.png"] = digits(0, 0)
    files["train/digit 1/notes.txt"] = b"no picture"
    job = bulk(client, birds, make_zip(files), kind="enroll").json()
    assert (job["state"], job["progress"]["total"], job["progress"]["failed"]) == ("partial", 12, 1)
    by_id = {result["custom_id"]: result for result in job["results"]}
    assert by_id["train/digit 0/0.png"]["label"] == "digit 0"
    assert by_id["train/digit 0/again.png"]["duplicate_of"] == by_id["train/digit 0/0.png"]["support_id"]
    assert by_id["train/digit 1/notes.txt"]["error"]["code"] == "picture_unreadable"
    support = by_id["train/digit 0/0.png"]["support_id"]
    assert client.get(f"/v1/collections/{birds}/supports/{support}/thumbnail").status_code == 200

    rows = [{"path": f"{d}.png", "custom_id": f"q{d}"} for d in (0, 1)] + [{"path": "none.png"}]
    queries = {f"{d}.png": digits(d, 30) for d in (0, 1)}
    manifest = "\n".join(map(json.dumps, rows)).encode()
    for archive in (
        make_zip({"manifest.jsonl": manifest, **queries}),
        make_tar({"manifest.jsonl": manifest, **queries}, mode="w:gz"),
    ):
        job = bulk(client, birds, archive, kind="classify").json()
        assert job["state"] == "partial"
        by_id = {result["custom_id"]: result for result in job["results"]}
        assert [by_id[f"q{d}"]["candidates"][0]["label"] for d in (0, 1)] == ["digit 0", "digit 1"]
        assert by_id["none.png"]["error"]["code"] == "member_missing"


def test_folder_of_the_server_is_enrolled(
    client: httpx.Client, running: Stack, birds: str, digits: Digits
) -> None:
    root = Path(running.environment["EXEMPLAR_ROOTS"])
    (root / "zero").mkdir(exist_ok=True)
    (root / "zero" / "1.png").write_bytes(digits(0, 0))
    (root / "zero" / "link.png").symlink_to("/etc/passwd")
    body = json.dumps({"folder": str(root)}).encode()
    job = bulk(client, birds, body, "application/json", kind="enroll").json()
    assert [(r["custom_id"], r.get("label"), r.get("error", {}).get("code")) for r in job["results"]] == [
        ("zero/1.png", "zero", None), ("zero/link.png", None, "path_not_allowed")
    ]  # fmt: skip


def test_urls_fail_with_a_clear_problem(client: httpx.Client, birds: str) -> None:
    body = json.dumps({"urls": ["https://example.org/1.jpg", "ftp://x/1.jpg"]}).encode()
    job = bulk(client, birds, body, "application/json", kind="classify").json()
    assert job["state"] == "failed"
    assert [result["error"]["code"] for result in job["results"]] == ["url_fetch_off", "url_not_allowed"]
    assert job["results"][0]["custom_id"] == "https://example.org/1.jpg"


def held_while_it_is_read(
    client: httpx.Client, running: Stack, digits: Digits, make: Callable[..., bytes]
) -> AbstractContextManager[str]:
    """Submit different pictures and pause the worker once some are enrolled, and not all read."""
    archive = make({f"digit/{n:04}.png": digits(n % 10, n // 10) for n in range(PICTURES)})

    def submit() -> str:
        path = f"/v1/collections/{make_collection(client)}/bulk"
        headers = {"Content-Type": "application/zip"}
        answer = client.post(path, params={"kind": "enroll"}, content=archive, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.headers["location"]

    def amid(progress: Progress) -> bool:
        return progress.done > 0 and progress.expanding and progress.total < PICTURES

    return held_amid(running, submit, amid)


def check_each_once(client: httpx.Client, job: str) -> None:
    results = results_of(client, job)
    assert [result["item"] for result in results] == list(range(PICTURES))
    assert [result["custom_id"] for result in results] == [f"digit/{n:04}.png" for n in range(PICTURES)]
    assert {result["status"] for result in results} == {"done"}
    assert {result["duplicate_of"] for result in results} == {None}
    collection = client.get(job).json()["collection"]
    [class_] = client.get(f"/v1/collections/{collection}/classes").json()["items"]
    assert class_["supports"] == PICTURES


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_job_outlives_the_worker_that_reads_it(
    client: httpx.Client, running: Stack, digits: Digits, make: Callable[..., bytes]
) -> None:
    with held_while_it_is_read(client, running, digits, make) as job:
        worker = psutil.Process(running.pid_of("worker-1"))
        [child] = worker.children()
        worker.kill()
        child.kill()
    finish(client, running, job)
    check_each_once(client, job)


def test_job_outlives_child_after_child(client: httpx.Client, running: Stack, digits: Digits) -> None:
    worker = psutil.Process(running.pid_of("worker-1"))
    with held_while_it_is_read(client, running, digits, make_zip) as job:
        [child] = worker.children()
        child.kill()
    for _ in range(2):  # these have hardly started
        child = until(
            lambda dead=child: next((one for one in worker.children() if one.pid != dead.pid), None)
        )
        child.kill()
    finish(client, running, job)
    check_each_once(client, job)


def test_cancelled_job_is_read_no_further(client: httpx.Client, running: Stack, digits: Digits) -> None:
    with held_while_it_is_read(client, running, digits, make_zip) as job:
        client.post(f"{job}/cancel")
        found = client.get(job).json()
    assert (found["state"], found["expanding"]) == ("cancelled", False)
    until(lambda: not is_to_be_read(running, job))
    assert client.get(job).json()["progress"]["total"] == found["progress"]["total"]


def is_to_be_read(running: Stack, job: str) -> bool:
    """Return whether the record still has a source from which a worker could read on."""
    store = open_store(Settings(data=Path(running.environment["EXEMPLAR_DATA"])))
    with store.database.read() as connection:
        source = select(t.source).where(t.source.c.job_id == job.rpartition("/")[2])
        found = connection.execute(source).first()
    store.database.close()
    return found is not None


def test_upload_may_be_larger_than_other_bodies_and_not_without_end(
    client: httpx.Client, running: Stack, birds: str, digits: Digits
) -> None:
    large = make_zip({"a/1.png": digits(0, 0), "a/2.png": bytes(200_000)}, compression=0)
    assert bulk(client, birds, large, kind="enroll").json()["progress"]["total"] == 2
    refused = client.post(
        f"/v1/collections/{birds}/classify", content=large, headers={"Content-Type": "image/png"}
    )
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
    line_ = f"POST /v1/collections/{birds}/bulk?kind=classify HTTP/1.1"
    head = f"{line_}\r\nHost: x\r\nContent-Length: 40000000\r\n\r\n"
    with socket.create_connection(
        ("127.0.0.1", int(running.environment["EXEMPLAR_PORT"])), timeout=90
    ) as line:
        line.sendall(head.encode())
        assert b" 413 " in line.makefile("rb").readline()


def test_upload_may_come_in_chunks(client: httpx.Client, birds: str, digits: Digits) -> None:
    archive = make_zip({"a/1.png": digits(0, 0)})
    path = f"/v1/collections/{birds}/bulk?kind=enroll"
    answer = client.post(
        path,
        content=iter([archive[:100], archive[100:]]),
        headers={"Content-Type": "application/zip", **WAIT},
    )
    assert answer.json()["state"] == "succeeded"


def test_large_body_without_a_key_is_refused_before_it_comes(running: Stack, birds: str) -> None:
    """Once there is a key, callers without one cannot fill the disk; it is revoked for the other tests."""
    store = open_store(Settings(data=Path(running.environment["EXEMPLAR_DATA"])))
    key = store.keys.create("k", [Scope.CLASSIFY])
    try:
        for given, size, expected in (
            ("", 2_000_000, b" 413 "),
            ("Bearer ex_0_wrong", 2_000_000, b" 413 "),
            ("", 10, b" 401 "),
            (f"Bearer {key}", 2_000_000, b" 422 "),
        ):
            head = f"POST /v1/collections/{birds}/bulk?kind=classify HTTP/1.1\r\nHost: x\r\n"
            head += (
                f"Content-Length: {size}\r\nContent-Type: application/zip\r\nAuthorization: {given}\r\n\r\n"
            )
            address = ("127.0.0.1", int(running.environment["EXEMPLAR_PORT"]))
            with socket.create_connection(address, timeout=90) as line:
                line.sendall(head.encode())
                if expected != b" 413 ":  # the others are answered before the body is sent
                    line.sendall(bytes(size))
                assert expected in line.makefile("rb").readline()
    finally:
        store.keys.revoke(key.split("_")[1])
        store.database.close()
