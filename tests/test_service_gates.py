"""The running service with hostile clients: slow senders, scanners, and forged queue messages."""

from __future__ import annotations

import json
import os
import pickle
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from calls import WAIT, as_json, ask, enroll
from PIL import Image, PngImagePlugin
from receiving import SECRET
from services import running_service
from tiny import TINY
from waiting import until

from cli.stack import Stack
from core.jobs import Lane
from core.settings import Settings
from store.queue.wake_ups import TASK, queue_of
from store.record.keys import Scope
from store.store import open_store

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]

PAYLOAD = "<script>alert('payload-4711')</script>"
QUERY_TOKEN = "signature-of-a-url-8462"
SLOW = 200


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("gates")
    secrets = {"webhooks": "127.0.0.1", "webhook_secret": SECRET, "webhook_private": "true"}
    fetching = {"fetch_hosts": "127.0.0.1", "fetch_private": "true", "fetch_s": "2"}
    with running_service(folder, log_level="DEBUG", **secrets, **fetching) as running:
        yield running


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    store = open_store(Settings(data=Path(stack.environment["EXEMPLAR_DATA"])))
    made = store.keys.create("tests", [Scope.ADMIN])
    store.database.close()
    return made


@pytest.fixture
def client(stack: Stack, key: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=90) as made:
        made.post("/v1/collections", json={"name": "things"})
        yield made


def test_slow_senders_delay_no_other_request(stack: Stack, client: httpx.Client, digits: Digits) -> None:
    enroll(client, "things", "zero", digits(0, 0))
    address = ("127.0.0.1", int(stack.environment["EXEMPLAR_PORT"]))
    head = b"POST /v1/collections/things/classify HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    with ExitStack() as open_:
        slow = [open_.enter_context(socket.create_connection(address, timeout=90)) for _ in range(SLOW)]
        for number, connection in enumerate(slow):  # half of them stop in the headers, half in the body
            connection.sendall(head if number % 2 else head + b"Content-Length: 1000\r\n\r\nx")
        for drop in range(5):
            for connection in slow:
                connection.sendall(b"X" if drop else b"Y")
            assert client.get("/healthz", timeout=90).status_code == 200
            assert len(ask(client, "things", digits(0, drop))) == 1


def test_pickled_wake_up_is_not_run_and_the_worker_survives(
    stack: Stack, client: httpx.Client, tmp_path: Path, digits: Digits
) -> None:
    proof = tmp_path / "it-ran"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {proof}",)

    import base64

    worker = stack.pid_of("worker-1")
    body = base64.b64encode(pickle.dumps(((), {"lane": Evil(), "encoder": TINY}, {}))).decode()
    properties = {
        "delivery_tag": "1", "delivery_mode": 2, "body_encoding": "base64", "correlation_id": "1",
        "delivery_info": {"exchange": "", "routing_key": "x"}, "priority": 0,
    }  # fmt: skip
    queue = queue_of(Lane.BULK, TINY)
    with redis.Redis.from_url(stack.environment["EXEMPLAR_REDIS_URL"]) as connection:
        for content_type in ("application/x-python-serialize", "application/x-yaml"):
            message = {
                "body": body, "content-encoding": "binary", "content-type": content_type,
                "headers": {"task": TASK, "id": "1", "lang": "py"}, "properties": properties,
            }  # fmt: skip
            connection.lpush(queue, json.dumps(message))
        until(lambda: connection.llen(queue) == 0)  # the worker takes it
    assert len(ask(client, "things", digits(1, 1))) == 1
    assert not proof.exists()
    assert stack.pid_of("worker-1") == worker


def test_no_upload_is_given_back_as_it_came(client: httpx.Client, digits: Digits) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", PAYLOAD)
    out = BytesIO()
    Image.open(BytesIO(digits(3, 0))).save(out, "PNG", pnginfo=info)
    upload = out.getvalue() + PAYLOAD.encode()
    [result] = enroll(client, "things", "three", upload)
    job = client.post("/v1/collections/things/classify", json=as_json(upload), headers=WAIT).json()
    contributor = client.post("/v1/keys", json={"name": "guest", "scopes": ["contribute"]}).json()["key"]
    contributed = client.post(
        "/v1/collections/things/enroll",
        json=as_json(upload + b"!", label="three"),
        headers={**WAIT, "Authorization": f"Bearer {contributor}"},
    ).json()
    document = client.get("/openapi.json").json()
    names = {
        "contribution_id": contributed["results"][0]["quarantine_id"],
        "erasure_id": "none",
        "collection": "things",
        "label": "three",
        "support_id": result["support_id"],
        "job_id": job["id"],
        "item": 0,
    }
    for path, operations in document["paths"].items():
        if "get" in operations and not path.endswith("/events"):
            answer = client.get(path.format(**names))
            assert PAYLOAD.encode() not in answer.content, path
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert "default-src 'none'" in answer.headers["content-security-policy"], path
            assert answer.headers["content-type"].partition(";")[0] != "image/png", path


def test_refusal_of_the_server_itself_has_the_guards_too(stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", int(stack.environment["EXEMPLAR_PORT"])), timeout=90) as line:
        line.sendall(b"NONSENSE\r\n\r\n")
        answer = line.makefile("rb").read().lower()
    assert b"x-content-type-options: nosniff" in answer and b"content-security-policy:" in answer


def test_no_secret_is_in_logs_errors_or_metrics(stack: Stack, client: httpx.Client, key: str) -> None:
    """Runs last in this file: it reads what all the others have left in the logs."""
    secret = key.split("_", 2)[2]
    wrong = f"ex_{key.split('_')[1]}_guess-{secret[:20]}"
    url = f"http://127.0.0.1:9999/1.png?token={QUERY_TOKEN}"
    webhook = f"http://127.0.0.1:9998/hook?token={QUERY_TOKEN}"
    answers = [
        client.get("/v1/collections", headers={"Authorization": f"Bearer {wrong}"}),
        client.get(f"/v1/collections?key={secret}"),
        client.get("/v1/collections/none", headers={"Authorization": f"Bearer {key}"}),
        client.post(
            "/v1/collections/things/classify",
            params={"webhook": webhook},
            json={"items": [{"image": {"url": url}}]},
            headers=WAIT,
        ),
        client.get("/metrics"),
        client.get("/readyz"),
    ]
    job = answers[3].json()["id"]

    def deliveries() -> list[dict[str, Any]]:
        return client.get(f"/v1/jobs/{job}/deliveries").json()["items"]

    received = until(lambda: [one for one in deliveries() if one["attempts"]])
    said = [answer.text for answer in answers[:1] + answers[2:]] + [json.dumps(received)]
    logs = [path.read_text() for path in Path(stack.environment["EXEMPLAR_DATA"]).glob("logs/*.log")]
    assert len("".join(logs)) > 1000
    for text in (*said, *logs):
        for hidden in (secret, secret[:20], SECRET, SECRET.removeprefix("whsec_"), QUERY_TOKEN):
            assert hidden not in text


def test_no_secret_is_in_what_is_started_with_it() -> None:
    root = Path(__file__).parents[1]
    compose = (root / "docker-compose.yml").read_text()
    for name in ("PASSWORD", "SECRET", "_URL"):
        lines = [line for line in compose.splitlines() if f"{name}:" in line]
        assert all("_FILE" in line for line in lines), lines
    assert "whsec_" not in compose and "ex_" not in compose.replace("ex_ec", "")
