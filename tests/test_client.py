"""The client against the running service, and its retries against prepared answers."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from services import running_service
from tiny import LITE0

from cli.stack import Stack
from exemplar_client import AsyncExemplar, Exemplar, Retries, ServiceError

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
PAGE = Path(__file__).parents[1] / "docs" / "client.md"


@pytest.fixture
def client(service: Stack) -> Iterator[Exemplar]:
    with Exemplar(service.url) as opened:
        yield opened


@pytest.fixture
def things(client: Exemplar, digits: Digits) -> str:
    """A collection of two digits with three supports each."""
    name = f"c-{uuid4().hex[:12]}"
    client.make_collection(name, rule={"false_reject": 0})
    for digit in (3, 4):
        pictures = [digits(digit, n) for n in range(3)]
        assert client.enroll(name, pictures, f"digit {digit}").wait(60).state == "succeeded"
    return name


def answering(
    *answers: httpx.Response | Exception, seen: list[httpx.Request] | None = None
) -> httpx.MockTransport:
    left = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            request.read()
            seen.append(request)
        found = next(left)
        if isinstance(found, Exception):
            raise found
        return found

    return httpx.MockTransport(answer)


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    problem = {"type": "t", "title": "T", "code": code, "detail": "why", "retry": True, "status": status}
    return httpx.Response(
        status, json=problem, headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The requested pauses, without waiting."""
    made: list[float] = []
    monkeypatch.setattr("exemplar_client.transport.time.sleep", made.append)
    return made


JOB = {
    "id": "j1", "collection": "c", "kind": "classify", "lane": "interactive", "state": "queued",
    "expanding": False, "smooth": False, "note": None, "created_at": "2026-01-01T00:00:00Z",
    "progress": {"total": 1, "done": 0, "failed": 0, "rate_per_s": None, "eta_s": None},
    "started_at": None, "finished_at": None, "links": {},
}  # fmt: skip


@pytest.fixture
def without_keys() -> Iterator[Stack]:
    """A service in which no test has ever created a key: OpenAI's client sends one all the same."""
    with running_service(encoders=LITE0) as stack:
        yield stack


def test_examples_of_the_page_run(
    without_keys: Stack, tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    for label, digit in (("robin", 3), ("wren", 4)):
        (tmp_path / label).mkdir()
        for n, name in enumerate("ab"):
            (tmp_path / label / f"{name}.png").write_bytes(digits(digit, n))
    (tmp_path / "new.png").write_bytes(digits(3, 7))
    for archive, digit, start in (("birds.zip", 3, 10), ("new.zip", 4, 20)):
        with zipfile.ZipFile(tmp_path / archive, "w") as packed:
            for n in range(2):
                packed.writestr(f"robin/{n}.png", digits(digit, start + n))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXEMPLAR_URL", without_keys.url)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert len(examples) >= 6
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, "docs/client.md", "exec"), names)


def test_job_is_waited_for_and_its_results_come_in_order(
    client: Exemplar, things: str, digits: Digits
) -> None:
    job = client.classify(things, [digits(3, 0), digits(4, 0), digits(3, 1)])
    seen: list[int] = []
    job.wait(60, progress=lambda progress: seen.append(progress.done))
    assert seen[-1] == 3 and job.has_ended
    results = list(job.results(page=2))
    assert [result.item for result in results] == [0, 1, 2]
    assert [result.label for result in results] == ["digit 3", "digit 4", "digit 3"]
    assert results[0].explanation is not None and results[0].explanation.supports[0].share > 0


def test_held_answer_brings_its_results_and_asks_no_more(
    client: Exemplar, things: str, digits: Digits
) -> None:
    job = client.classify(things, digits(3, 0), wait_s=60)
    client.close()  # no further request may be sent
    assert [result.label for result in job.results()] == ["digit 3"]


def test_failed_item_is_an_error_of_its_own(client: Exemplar, things: str, digits: Digits) -> None:
    job = client.classify(things, [b"no picture", digits(3, 0)])
    with pytest.raises(ServiceError, match="picture_unreadable") as caught:
        job.result()
    assert (caught.value.code, caught.value.status) == ("picture_unreadable", None)
    assert [result.status for result in job.results()] == ["failed", "done"]


def test_lists_turn_their_pages_themselves(client: Exemplar, things: str) -> None:
    assert len(list(client.list_supports(things, limit=2))) == 6
    assert [one.label for one in client.list_classes(things, limit=1)] == ["digit 3", "digit 4"]
    assert any(job.collection == things for job in client.list_jobs(limit=5))


def test_label_with_a_slash_is_one_part_of_the_path(client: Exemplar, things: str) -> None:
    client.make_class(things, "a/b c?")
    assert client.change_class(things, "a/b c?", new_label="/d").label == "/d"
    client.delete_class(things, "/d")


def test_items_carry_ids_of_their_own(client: Exemplar, things: str, digits: Digits) -> None:
    import base64

    image = {"base64": base64.b64encode(digits(4, 9)).decode()}
    job = client.submit_items(things, "classify", [{"image": image, "custom_id": "a1"}], top=1)
    [result] = job.results()
    assert result.custom_id == "a1" and len(result.candidates or []) == 1


def test_answers_are_filtered_by_metadata(client: Exemplar, things: str, digits: Digits) -> None:
    image = {"base64": base64.b64encode(digits(5, 0)).decode()}
    item = {"label": "five", "image": image, "external_id": "five-1", "metadata": {"site": "north"}}
    client.submit_items(things, "enroll", [item], wait_s=60).wait()
    where = {"site": "north"}
    [result] = client.classify(things, digits(3, 0), where=where, wait_s=60).results()
    assert [one.external_id for one in result.neighbours or ()] == ["five-1"]
    [support] = client.list_supports(things, where=json.dumps(where))
    client.move_support(things, support.id, metadata={"site": "south"})
    [result] = client.search(things, digits(3, 0), where=where, wait_s=60).results()
    assert result.neighbours == []
    client.delete_support(things, support.id)


def test_events_are_followed_to_the_end(client: Exemplar, things: str, digits: Digits) -> None:
    job = client.classify(things, [digits(3, n) for n in range(4)])
    assert list(client.watch_job(job.id))[-1].state == "succeeded"


@pytest.mark.parametrize(
    ("suffix", "begins"), [(".csv", b"item,"), (".jsonl", b'{"item"'), (".parquet", b"PAR1")]
)
def test_results_are_saved_by_the_name_of_the_file(
    client: Exemplar, things: str, digits: Digits, tmp_path: Path, suffix: str, begins: bytes
) -> None:
    client.classify(things, digits(3, 0)).save(tmp_path / f"out{suffix}")
    assert (tmp_path / f"out{suffix}").read_bytes().startswith(begins)


def test_asynchronous_client_does_the_same(service: Stack, things: str, digits: Digits) -> None:
    async def go() -> list[str | None]:
        async with AsyncExemplar(service.url) as client:
            job = await client.classify(things, [digits(3, 0), digits(4, 0)])
            labels = [result.label async for result in job.results()]
            assert [one.label async for one in client.list_classes(things)] == ["digit 3", "digit 4"]
            assert (await client.get_report(things)).supports == 6
            with pytest.raises(ServiceError, match="member_missing"):
                await client.bulk(things, b'{"path": "gone"}\n', media_type="application/x-ndjson")
            return labels

    assert asyncio.run(go()) == ["digit 3", "digit 4"]


def test_retry_after_is_respected_and_the_key_stays_the_same(pauses: list[float]) -> None:
    seen: list[httpx.Request] = []
    answers = (
        problem(429, "queue_full", Retry_After="7"),
        httpx.ReadError("gone"),
        httpx.Response(202, json=JOB),
    )
    client = Exemplar("http://x", transport=answering(*answers, seen=seen))
    assert client.classify("c", b"picture").id == "j1"
    assert len(pauses) == 2 and pauses[0] == 7 and 0.25 <= pauses[1] <= 0.5
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
    assert len({request.content[-60:] for request in seen}) == 3  # each has its own boundary
    assert all(b"picture" in request.content for request in seen)


def test_change_whose_answer_was_lost_is_not_sent_again(pauses: list[float]) -> None:
    client = Exemplar("http://x", transport=answering(httpx.ReadError("gone")))
    with pytest.raises(ServiceError) as caught:
        client.change_class("c", "a", new_label="b")
    assert (caught.value.code, caught.value.status, caught.value.retry) == ("service_unreachable", None, True)
    assert pauses == []


def test_change_that_never_left_is_sent_again(pauses: list[float]) -> None:
    client = Exemplar("http://x", transport=answering(httpx.ConnectError("no"), httpx.Response(204)))
    client.delete_class("c", "a")
    assert len(pauses) == 1


def test_tries_end_with_the_problem_of_the_last(pauses: list[float]) -> None:
    answers = [problem(503, "record_unavailable") for _ in range(3)]
    client = Exemplar("http://x", transport=answering(*answers), retries=Retries(tries=3))
    with pytest.raises(ServiceError, match="record_unavailable"):
        client.get_job("j1")
    assert len(pauses) == 2


def test_pause_longer_than_allowed_is_not_made(pauses: list[float]) -> None:
    client = Exemplar("http://x", transport=answering(problem(503, "streams_full", Retry_After="600")))
    with pytest.raises(ServiceError) as caught:
        client.get_job("j1")
    assert caught.value.retry_after_s == 600 and pauses == []


def test_answer_of_a_proxy_is_an_error_too(pauses: list[float]) -> None:
    answers = [httpx.Response(502, text="<html>bad gateway</html>") for _ in range(5)]
    with pytest.raises(ServiceError, match="502") as caught:
        Exemplar("http://x", transport=answering(*answers)).get_job("j1")
    assert caught.value.code == "service_failed" and caught.value.retry


def test_bulk_file_is_sent_again_from_its_beginning(tmp_path: Path, pauses: list[float]) -> None:
    (tmp_path / "a.zip").write_bytes(b"bytes of a zip")
    seen: list[httpx.Request] = []
    answers = (problem(503, "record_unavailable"), httpx.Response(202, json=JOB))
    Exemplar("http://x", transport=answering(*answers, seen=seen)).bulk("c", tmp_path / "a.zip", smooth=True)
    assert [request.content for request in seen] == [b"bytes of a zip"] * 2
    assert seen[0].headers["Content-Type"] == "application/zip" and seen[0].url.params["smooth"] == "true"


def test_what_a_later_service_adds_does_no_harm() -> None:
    job = {**JOB, "kind": "paint", "brush": 3}
    client = Exemplar("http://x", transport=answering(httpx.Response(200, content=json.dumps(job))))
    found = client.get_job("j1")
    assert (found.kind, found.brush) == ("paint", 3)  # type: ignore[attr-defined]


def test_address_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXEMPLAR_URL", "http://there:1/")
    monkeypatch.setenv("EXEMPLAR_KEY", "ex_a_b")
    seen: list[httpx.Request] = []
    Exemplar(transport=answering(httpx.Response(200, json=JOB), seen=seen)).get_job("j1")
    assert str(seen[0].url) == "http://there:1/v1/jobs/j1"
    assert seen[0].headers["Authorization"] == "Bearer ex_a_b"
