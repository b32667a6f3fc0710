"""Webhooks: signed, sent at least once, retried for a day, and safe from redirection, on both databases."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpcore
import pytest
from enrolling import claim, settle, submit
from pydantic import SecretStr
from receiving import SECRET, Receiver, allowing, receiving
from sqlalchemy import update
from standardwebhooks import Webhook, WebhookVerificationError

from core.errors import ExemplarError
from core.jobs import Item, JobKind
from core.settings import Settings, read_settings
from runtime.addresses import Target, check_url
from store import tables as t
from store.store import Store
from store.work.deliveries import DELAYS_S, DeliveryState, Outcome, delay_s
from worker.outbound import send
from worker.webhooks import WebhookSender


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def sender(things: Store, settings: Settings) -> Iterator[WebhookSender]:
    found = WebhookSender(things.deliveries, allowing(settings), "w:1")
    yield found
    found.stop()


def finish(store: Store, webhook: str | None, failing: tuple[int, ...] = ()) -> str:
    """Submit a job with a webhook and end it."""
    job = submit(store, Item(0, "aa"), Item(1, "bb"), kind=JobKind.CLASSIFY, webhook=webhook)
    for chunk in claim(store):
        assert settle(store, chunk, failing=failing)
    return job


def make_due(store: Store) -> None:
    """Advance the time to the next attempt."""
    with store.database.write() as connection:
        connection.execute(update(t.delivery).values(due_at=1.0))


def test_end_of_a_job_sends_a_signed_call(things: Store, sender: WebhookSender, receiver: Receiver) -> None:
    job = finish(things, f"{receiver.url}/hook?token=1", failing=(1,))
    assert sender.deliver_due() == 1
    [request] = receiver.requests
    assert request.path == "/hook?token=1"
    assert request.headers["host"] == receiver.url.removeprefix("http://")
    received = Webhook(SECRET).verify(request.body, request.headers)
    assert (received["type"], received["data"]["id"], received["data"]["state"]) == (
        "job.finished",
        job,
        "partial",
    )
    assert received["data"]["progress"] == {"total": 2, "done": 1, "failed": 1}
    [logged] = things.deliveries.of_job(job)
    assert (logged.state, logged.id) == (DeliveryState.DELIVERED, request.headers["webhook-id"])
    assert [(a.number, a.status, a.error) for a in logged.attempts] == [(1, 204, None)]
    assert sender.deliver_due() == 0


def test_signature_is_the_one_of_the_standard(
    things: Store, sender: WebhookSender, receiver: Receiver
) -> None:
    finish(things, receiver.url)
    sender.deliver_due()
    [request] = receiver.requests
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    id_, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert abs(int(at) - time.time()) < 60
    signed = hmac.new(key, f"{id_}.{at}.".encode() + request.body, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(signed).decode()}"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body + b" ", request.headers)


def test_every_secret_signs_while_one_takes_the_place_of_another(
    things: Store, settings: Settings, receiver: Receiver
) -> None:
    newest, strange = (f"whsec_{base64.b64encode(bytes([n] * 32)).decode()}" for n in (1, 2))
    rotating = allowing(settings).model_copy(update={"webhook_secret": SecretStr(f"{newest}\n{SECRET}")})
    finish(things, receiver.url)
    sender = WebhookSender(things.deliveries, rotating, "w:1")
    sender.deliver_due()
    sender.stop()
    [request] = receiver.requests
    for secret in (newest, SECRET):
        assert Webhook(secret).verify(request.body, request.headers)["type"] == "job.finished"
    assert request.headers["webhook-signature"].startswith(
        Webhook(newest).sign(
            request.headers["webhook-id"],
            datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC),
            request.body.decode(),
        )
    )
    with pytest.raises(WebhookVerificationError):
        Webhook(strange).verify(request.body, request.headers)


def test_job_without_a_webhook_sends_no_call(things: Store, sender: WebhookSender) -> None:
    job = finish(things, None)
    assert sender.deliver_due() == 0
    assert things.deliveries.of_job(job) == []


def test_cancelled_job_sends_a_call_too(things: Store, sender: WebhookSender, receiver: Receiver) -> None:
    job = submit(things, Item(0, "aa"), kind=JobKind.CLASSIFY, webhook=receiver.url)
    assert sender.deliver_due() == 0
    things.control.cancel(job)
    sender.deliver_due()
    assert json.loads(receiver.requests[0].body)["data"]["state"] == "cancelled"


def test_retried_job_sends_another_call(things: Store, sender: WebhookSender, receiver: Receiver) -> None:
    job = finish(things, receiver.url, failing=(1,))
    sender.deliver_due()
    things.control.retry(job)
    assert sender.deliver_due() == 0
    for chunk in claim(things):
        settle(things, chunk)
    sender.deliver_due()
    first, second = receiver.requests
    assert json.loads(second.body)["data"]["state"] == "succeeded"
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


def test_refused_delivery_is_made_again_with_the_same_id_and_body(
    things: Store, sender: WebhookSender, receiver: Receiver
) -> None:
    receiver.statuses = [500, 429]
    job = finish(things, receiver.url)
    for _ in range(3):
        assert sender.deliver_due() == 1
        assert sender.deliver_due() == 0  # not before it is due
        make_due(things)
    assert sender.deliver_due() == 0
    assert len({(r.headers["webhook-id"], r.body) for r in receiver.requests}) == 1
    [logged] = things.deliveries.of_job(job)
    assert [(a.number, a.status) for a in logged.attempts] == [(1, 500), (2, 429), (3, 204)]
    assert logged.state is DeliveryState.DELIVERED


def test_delivery_is_tried_for_about_a_day_and_given_up(things: Store) -> None:
    job = finish(things, "https://example.com/")
    things.deliveries.announce()
    waits: list[float] = []
    while found := things.deliveries.claim("w:1", 4):
        [delivery] = found
        assert things.deliveries.settle("w:1", delivery, Outcome(1.0, 500))
        [logged] = things.deliveries.of_job(job)
        if logged.next_at is not None:
            waits.append(logged.next_at - logged.attempts[-1].at)
        make_due(things)
    assert logged.state is DeliveryState.GIVEN_UP
    assert len(logged.attempts) == len(DELAYS_S) + 1
    assert all(
        planned - 1 <= waited <= planned * 1.1 + 1 for planned, waited in zip(DELAYS_S, waits, strict=True)
    )
    assert 24 * 3600 <= sum(DELAYS_S) <= 30 * 3600
    assert list(DELAYS_S) == sorted(DELAYS_S)
    assert 5.0 <= delay_s(1) <= 5.5


def test_receiver_that_is_gone_is_left_alone(
    things: Store, sender: WebhookSender, receiver: Receiver
) -> None:
    receiver.statuses = [410]
    job = finish(things, receiver.url)
    sender.deliver_due()
    make_due(things)
    assert sender.deliver_due() == 0
    assert things.deliveries.of_job(job)[0].state is DeliveryState.GIVEN_UP


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(
    things: Store, sender: WebhookSender, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]
    job = finish(things, receiver.url)
    sender.deliver_due()
    assert [request.path for request in receiver.requests] == ["/"]
    assert things.deliveries.of_job(job)[0].state is DeliveryState.WAITING


def test_worker_that_dies_over_a_delivery_leaves_it_to_the_next(
    things: Store, sender: WebhookSender, receiver: Receiver
) -> None:
    job = finish(things, receiver.url)
    things.deliveries.announce()
    [dying] = things.deliveries.claim("dead:1", 4)
    assert sender.deliver_due() == 0  # its lease still holds
    things.deliveries.expire_leases("dead")
    assert sender.deliver_due() == 1
    assert not things.deliveries.settle("dead:1", dying, Outcome(1.0, 500))  # too late: the lease is lost
    [logged] = things.deliveries.of_job(job)
    assert (logged.state, [a.number for a in logged.attempts]) == (DeliveryState.DELIVERED, [2])
    assert receiver.requests[0].headers["webhook-id"] == dying.id


def test_call_with_an_unexpected_error_counts_as_an_attempt(
    things: Store, sender: WebhookSender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finish(things, receiver.url)
    with monkeypatch.context() as broken:

        def fail(*_: object) -> int:
            raise ValueError("a header that no library takes")

        broken.setattr("worker.webhooks.post", fail)
        assert sender.deliver_due() == 1
    [logged] = things.deliveries.of_job(job)
    assert [(a.number, a.error) for a in logged.attempts] == [(1, "internal_error: ValueError")]
    assert logged.next_at is not None and logged.next_at <= time.time() + 10  # the first of the delays
    make_due(things)
    sender.deliver_due()
    assert things.deliveries.of_job(job)[0].state is DeliveryState.DELIVERED


def test_two_postmen_deliver_once(things: Store, settings: Settings, receiver: Receiver) -> None:
    for _ in range(12):
        finish(things, receiver.url)
    senders = [WebhookSender(things.deliveries, allowing(settings), f"w{n}:1") for n in range(3)]
    with ThreadPoolExecutor(3) as pool:
        for _ in range(6):
            list(pool.map(lambda sender: sender.deliver_due(), senders))
    for sender in senders:
        sender.stop()
    assert len(receiver.requests) == 12
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 12


def test_private_target_is_not_called_and_the_log_says_why(
    things: Store, settings: Settings, receiver: Receiver
) -> None:
    port = receiver.url.rpartition(":")[2]
    strict = Settings.model_validate(
        settings.model_dump() | {"webhooks": ("*",), "webhook_secret": SECRET, "webhook_private": False}
    )
    sender = WebhookSender(things.deliveries, strict, "w:1")
    job = finish(things, f"https://localhost:{port}/")  # a name, so that only its address reveals it
    sender.deliver_due()
    sender.stop()
    assert receiver.requests == []
    [attempt] = things.deliveries.of_job(job)[0].attempts
    assert attempt.error is not None and attempt.error.startswith("target_not_allowed: ")


def loopback(receiver: Receiver, host: str = "127.0.0.1") -> Target:
    port = receiver.url.rpartition(":")[2]
    return check_url(f"http://{host}:{port}/", hosts=("*",), private_too=True)


def test_connection_goes_to_the_address_that_was_checked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = socket.getaddrinfo

    def once(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
        asked.append(str(host))
        if host == "hook.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        return real(host, port, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    target = loopback(receiver, "hook.example")
    reply = send(target, "POST", headers={}, total_s=50, max_bytes=10, private_too=True)
    assert reply.status == 204
    assert asked.count("hook.example") == 1  # a second answer could have been another one
    assert receiver.requests[0].headers["host"].startswith("hook.example:")


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Answer one byte at a time, without end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    try:
        while True:
            handler.wfile.write(b"a")
            time.sleep(0.05)
    except OSError:
        return


def flood(handler: BaseHTTPRequestHandler) -> None:
    """Answer with more than the size limit."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    try:
        while True:
            handler.wfile.write(b"a" * 65536)
    except OSError:
        return


def test_answer_that_drips_is_cut_off_in_time(receiver: Receiver) -> None:
    receiver.statuses = [drip]
    with pytest.raises(ExemplarError) as caught:
        send(loopback(receiver), "POST", headers={}, total_s=0.5, max_bytes=100, private_too=True)
    assert (caught.value.code, caught.value.retry) == ("target_failed", True)


def test_answer_that_floods_is_cut_off_in_size(receiver: Receiver) -> None:
    receiver.statuses = [flood]
    reply = send(loopback(receiver), "POST", headers={}, total_s=50, max_bytes=1000, private_too=True)
    assert (reply.status, len(reply.body)) == (200, 1000)


def test_closed_port_is_a_failure_to_be_retried() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        target = Target("http", "127.0.0.1", port, "/")
        with pytest.raises(ExemplarError) as caught:
            send(target, "POST", headers={}, total_s=50, max_bytes=10, private_too=True)
    assert (caught.value.code, caught.value.retry) == ("target_failed", True)


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    reply = send(loopback(receiver), "POST", headers={}, total_s=50, max_bytes=10, private_too=True)
    assert reply.status == 204


def test_tls_is_checked_against_the_name_of_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str | None] = []

    def note(self: Any, context: Any, name: str | None = None, timeout: Any = None) -> Any:
        names.append(name)
        raise OSError("enough")

    monkeypatch.setattr(httpcore.SyncBackend().connect_tcp.__globals__["SyncStream"], "start_tls", note)
    with receiving() as receiver:
        target = Target("https", "localhost", int(receiver.url.rpartition(":")[2]), "/")
        with pytest.raises(ExemplarError) as caught:
            send(target, "POST", headers={}, total_s=50, max_bytes=9, private_too=True)
    assert caught.value.code == "target_failed"
    assert names == ["localhost"]


def test_webhooks_need_a_secret_that_is_never_shown() -> None:
    settings = read_settings({"EXEMPLAR_WEBHOOKS": "a.com, *.b.com", "EXEMPLAR_WEBHOOK_SECRET": SECRET})
    assert settings.webhooks == ("a.com", "*.b.com")
    assert SECRET not in repr(settings) + str(settings.model_dump())
    for secret in ("", "whsec_c2hvcnQ=", "secret-without-prefix", "whsec_!!", f"{SECRET} whsec_!!"):
        with pytest.raises(ExemplarError) as caught:
            read_settings({"EXEMPLAR_WEBHOOKS": "*", "EXEMPLAR_WEBHOOK_SECRET": secret})
        assert caught.value.code == "settings_invalid"
        assert "EXEMPLAR_WEBHOOK_SECRET" in caught.value.message
        assert not secret or secret not in caught.value.message
