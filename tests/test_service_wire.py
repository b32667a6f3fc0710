"""Malformed requests over the wire of the running service."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest
from calls import WAIT, ask, enroll

from cli.stack import Stack

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]

HEAD = b"POST /v1/collections HTTP/1.1\r\nHost: x\r\n"


def send(service: Stack, request: bytes, *, hang_up: bool = False) -> tuple[int, str, dict[str, object]]:
    """Send bytes and return status, content type and problem."""
    address = ("127.0.0.1", int(service.environment["EXEMPLAR_PORT"]))
    with socket.create_connection(address, timeout=90) as connection:
        with suppress(ConnectionError):  # a refused sender may find the connection closed while sending
            connection.sendall(request)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            status = answer.readline().split()
            if not status:
                return 0, "", {}
            headers = {}
            while line := answer.readline().strip():
                name, _, value = line.partition(b":")
                headers[name.lower().decode()] = value.strip().decode()
            body = answer.read(int(headers["content-length"]))
    return int(status[1]), headers["content-type"], json.loads(body)


REFUSED = {
    "no request at all": (b"NONSENSE\r\n\r\n", 400, "request_refused"),
    "a length that is no number": (HEAD + b"Content-Length: ten\r\n\r\n", 400, "request_refused"),
    "a negative length": (HEAD + b"Content-Length: -5\r\n\r\n", 400, "request_refused"),
    "two lengths": (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400, "request_refused"),
    "an unknown transfer coding": (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 501, "request_refused"),
    "a broken chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n", 400, "request_refused"),
    "a NUL in a header": (HEAD + b"X: a\0b\r\n\r\n", 400, "request_refused"),
    "a header too large": (HEAD + b"X: " + b"a" * 262_200 + b"\r\n\r\n", 431, "headers_too_large"),
    "a body too large": (HEAD + b"Content-Length: 60000000\r\n\r\n", 413, "body_too_large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_of_the_server_itself_is_a_problem(service: Stack, name: str) -> None:
    request, status, code = REFUSED[name]
    got, media_type, problem = send(service, request)
    assert (got, media_type, problem["code"], problem["status"]) == (
        status,
        "application/problem+json",
        code,
        status,
    )
    assert "max_body" not in problem["detail"]
    assert status != 413 or "at most 33.6 MB" in problem["detail"]


def test_body_shorter_than_it_says_makes_no_job(service: Stack, http: httpx.Client, collection: str) -> None:
    before = http.get("/v1/jobs", params={"limit": 1}).json()["items"]
    path = f"/v1/collections/{collection}/classify"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 99\r\n\r\n"
    assert send(service, head.encode() + b"abc", hang_up=True)[0] == 0
    assert http.get("/v1/jobs", params={"limit": 1}).json()["items"] == before


def test_body_one_byte_too_large_is_refused_by_the_app(http: httpx.Client, collection: str) -> None:
    body = bytes((32 << 20) + 1)
    response = http.post(
        f"/v1/collections/{collection}/classify", content=body, headers={"Content-Type": "image/png"}
    )
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert "33.6 MB" in response.json()["detail"]


def test_picture_larger_than_allowed_is_refused(http: httpx.Client, collection: str) -> None:
    response = http.post(
        f"/v1/collections/{collection}/classify",
        content=bytes((20 << 20) + 1),
        headers={"Content-Type": "image/png"},
    )
    assert (response.status_code, response.json()["code"]) == (413, "picture_too_many_bytes")


def test_chunked_body_is_read_completely(http: httpx.Client, collection: str, digits: Digits) -> None:
    [support] = enroll(http, collection, "zero", digits(0, 0))
    picture = digits(0, 0)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(picture), 100):
            yield picture[start : start + 100]

    response = http.post(
        f"/v1/collections/{collection}/search",
        content=pieces(),
        headers={**WAIT, "Content-Type": "image/png"},
    )
    [result] = response.json()["results"]
    assert result["neighbours"][0]["support_id"] == support["support_id"]
    assert result["neighbours"][0]["similarity"] > 0.999


def test_form_that_breaks_off_is_an_error(http: httpx.Client, collection: str, digits: Digits) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    body = part + digits(0, 0) + b"\r\n" + part + digits(0, 1)
    response = http.post(
        f"/v1/collections/{collection}/classify",
        content=body,
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert (response.status_code, response.json()["code"]) == (400, "body_unreadable")


def test_forty_callers_at_once_are_all_served(
    http: httpx.Client, service: Stack, collection: str, digits: Digits
) -> None:
    """More requests than threads that may wait."""
    enroll(http, collection, "zero", digits(0, 0))
    with ThreadPoolExecutor(40) as pool:
        answers = list(
            pool.map(
                lambda n: httpx.post(
                    f"{service.url}/v1/collections/{collection}/classify",
                    content=digits(n % 10, n),
                    headers={**WAIT, "Content-Type": "image/png"},
                    timeout=90,
                ),
                range(40),
            )
        )
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert http.get("/healthz").status_code == 200
    assert len(ask(http, collection, digits(0, 0))) == 1
