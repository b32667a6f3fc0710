"""Jobs and results of the running service: pages, forms, cancelling, and what went away meanwhile."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from calls import WAIT, as_json, enroll, files
from tiny import DEFAULT
from waiting import until

from api.wait import JobWatch
from core.collections import Rule
from core.errors import ExemplarError
from core.jobs import Item, JobKind, JobRequest, Lane
from core.results import failed_result
from store.queue.wake_ups import WakeUps
from store.store import Store
from store.work.jobs import new_job_id
from store.work.settlement import Settlement

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]

AWAY = "unix:///nowhere/redis.sock"


@pytest.fixture
def job(http: httpx.Client, collection: str, digits: Digits) -> str:
    """A finished job of 20 pictures, two of them bad."""
    enroll(http, collection, "=zero()", digits(0, 0))
    pictures = [b"text" if n in (3, 11) else digits(0, n) for n in range(20)]
    body = {"items": [as_json(picture, custom_id=f"@{n}")["items"][0] for n, picture in enumerate(pictures)]}
    answer = http.post(f"/v1/collections/{collection}/classify", json=body, headers=WAIT).json()
    assert (answer["lane"], answer["state"]) == ("bulk", "partial")
    assert (answer["progress"]["done"], answer["progress"]["failed"]) == (18, 2)
    return f"/v1/jobs/{answer['id']}"


def test_results_come_by_pages_in_order(http: httpx.Client, job: str) -> None:
    items, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = http.get(f"{job}/results", params={"limit": 7} | ({"cursor": cursor} if cursor else {})).json()
        items += [result["item"] for result in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (items, pages) == (list(range(20)), 3)


def test_results_as_ndjson_are_the_same(http: httpx.Client, job: str) -> None:
    response = http.get(f"{job}/results", headers={"Accept": "application/x-ndjson"})
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert lines == http.get(f"{job}/results").json()["items"]


def test_results_as_csv_hold_no_formula(http: httpx.Client, job: str) -> None:
    response = http.get(f"{job}/results", headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["custom_id"] for row in rows] == [f"'@{n}" for n in range(20)]
    assert {row["label"] for row in rows} <= {"'=zero()", ""}
    assert rows[3]["error_code"] == "picture_unreadable"
    assert not [cell for row in rows for cell in row.values() if cell[:1] in ("=", "+", "-", "@")]


def test_results_say_why_in_each_form(http: httpx.Client, collection: str, digits: Digits) -> None:
    for digit in (0, 1):
        enroll(http, collection, str(digit), *(digits(digit, n) for n in range(8)))
    body = files(digits(0, 9))
    answer = http.post(f"/v1/collections/{collection}/classify", files=body, headers=WAIT).json()
    path = f"/v1/jobs/{answer['id']}/results"
    [shown] = http.get(path).json()["items"]
    assert [shown] == answer["results"]
    reasons = shown["explanation"]["supports"]
    assert 0 < sum(reason["share"] for reason in reasons) <= 1 + 1e-9
    assert http.get(reasons[0]["thumbnail"]).headers["content-type"] == "image/jpeg"
    response = http.get(path, headers={"Accept": "text/csv"})
    [row] = csv.DictReader(io.StringIO(response.text))
    assert (row["rule"], row["candidate_set"]) == ("kernel", " | ".join(shown["candidate_set"]["labels"]))
    assert float(row["margin"]) == pytest.approx(shown["explanation"]["margin"])
    assert float(row["novelty"]) == pytest.approx(shown["novelty"]["score"])
    assert float(row["novelty_threshold"]) == pytest.approx(shown["novelty"]["threshold"])


def test_results_default_to_json(http: httpx.Client, job: str) -> None:
    response = http.get(f"{job}/results", headers={"Accept": "application/xml"})
    assert response.headers["content-type"] == "application/json"


def test_newest_job_is_listed_first(http: httpx.Client, job: str) -> None:
    first = http.get("/v1/jobs", params={"limit": 1}).json()
    second = http.get("/v1/jobs", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert first["items"][0]["links"]["self"] == job
    assert second["items"][0]["id"] < first["items"][0]["id"]


def test_finished_job_cannot_be_cancelled(http: httpx.Client, job: str) -> None:
    assert http.post(f"{job}/cancel").json()["state"] == "partial"


def test_metrics_count_jobs_and_items(http: httpx.Client, job: str) -> None:
    def counted() -> str | None:
        text = http.get("/metrics").text
        return text if 'exemplar_jobs{kind="classify",state="partial"}' in text else None

    text = until(counted) or ""  # what an earlier test has asked for is kept for 15 s
    assert 'exemplar_items{kind="classify",outcome="failed"}' in text
    assert "exemplar_workers_alive 1.0" in text


def submit(store: Store, items: int, lane: Lane = Lane.INTERACTIVE) -> str:
    asked = [Item(index, "a" * 64) for index in range(items)]
    request = JobRequest("things", JobKind.CLASSIFY, lane, asked)
    return store.jobs.submit(new_job_id(), request).job.id


def test_cancelled_job_ends_at_once(local: httpx.Client, store: Store) -> None:
    store.collections.create("things", DEFAULT, Rule())
    job = submit(store, 3)
    cancelled = local.post(f"/v1/jobs/{job}/cancel").json()
    assert cancelled["state"] == "cancelled" and cancelled["finished_at"] is not None
    assert local.get(f"/v1/jobs/{job}/results").json() == {"items": [], "next_cursor": None}
    assert store.chunks.claim("w:1", DEFAULT, list(Lane), 9) == []


def test_what_a_worker_had_begun_is_kept_of_a_cancelled_job(local: httpx.Client, store: Store) -> None:

    store.collections.create("things", DEFAULT, Rule())
    job = submit(store, 3)
    [chunk] = store.chunks.claim("w:1", DEFAULT, list(Lane), 1)
    local.post(f"/v1/jobs/{job}/cancel")

    failed = failed_result(chunk.items[0], ExemplarError("picture_unreadable", "broken"))
    assert store.chunks.settle("w:1", [Settlement(chunk, [failed])]) == [True]
    found = local.get(f"/v1/jobs/{job}").json()
    assert (found["state"], found["progress"]["failed"]) == ("cancelled", 1)
    assert len(local.get(f"/v1/jobs/{job}/results").json()["items"]) == 1


def test_results_after_a_long_cancelled_stretch_are_streamed(local: httpx.Client, store: Store) -> None:

    store.collections.create("things", DEFAULT, Rule())
    job = submit(store, 600)
    chunks = store.chunks.claim("w:1", DEFAULT, list(Lane), 600)
    store.chunks.fail_attempt("w:1", chunks[:-1], "for the test")
    store.chunks.sweep()
    local.post(f"/v1/jobs/{job}/cancel")
    failed = failed_result(chunks[-1].items[0], ExemplarError("picture_unreadable", "broken"))
    store.chunks.settle("w:1", [Settlement(chunks[-1], [failed])])
    text = local.get(f"/v1/jobs/{job}/results", headers={"Accept": "application/x-ndjson"}).text
    assert [json.loads(line)["item"] for line in text.splitlines()] == [599]


def test_running_job_shows_results_as_far_as_they_stand(local: httpx.Client, store: Store) -> None:
    store.collections.create("things", DEFAULT, Rule())
    job = submit(store, 2)
    page = local.get(f"/v1/jobs/{job}/results").json()
    again = local.get(f"/v1/jobs/{job}/results", params={"cursor": page["next_cursor"]}).json()
    assert page["items"] == again["items"] == []
    assert page["next_cursor"] == again["next_cursor"]


def test_two_may_wait_for_one_job_each_as_long_as_it_likes() -> None:

    ended: set[str] = set()
    watch = JobWatch(lambda _: ended, places=2, redis_url=AWAY)
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(watch.wait, "j", 100)
        assert not watch.wait("j", 0.1)
        ended.add("j")
        assert patient.result()


def test_waiting_takes_no_more_places_than_there_are() -> None:

    watch = JobWatch(lambda _: set(), places=1, redis_url=AWAY)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(watch.wait, "j", 100)
        until(lambda: watch._waited)
        assert not watch.wait("k", 100)
        assert not first.done()
        watch.end()
        assert not first.result()


def test_wait_outlives_a_record_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.wait.PAUSE_S", 0.05)
    calls: list[int] = []

    def finished(_: object) -> set[str]:
        calls.append(1)
        if len(calls) < 3:
            raise OSError("away")
        return {"j"}

    assert JobWatch(finished, places=1, redis_url=AWAY).wait("j", 100)


def test_wait_ends_when_redis_tells_so_or_at_the_next_look_into_the_record(redis_url: str) -> None:
    asked: list[str] = []
    ended: set[str] = set()

    def finished(job_ids: Sequence[str]) -> set[str]:
        asked.extend(job_ids)
        return ended & set(job_ids)

    watch = JobWatch(finished, places=9, redis_url=redis_url)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(watch.wait, "told", 100)
        until(lambda: watch._ends.is_heard)
        WakeUps(redis_url).tell_ended(["other", "told"])
        assert first.result()
        second = pool.submit(watch.wait, "untold", 100)
        until(lambda: "untold" in asked)
        ended.add("untold")
        assert second.result()
        ended.add("told")
        assert watch.wait("told", 100)  # from before: the record confirms it
        assert asked[-1] == "told"


def test_job_that_was_retried_after_it_ended_is_waited_for(redis_url: str) -> None:
    watch = JobWatch(lambda _: set(), places=9, redis_url=redis_url)
    assert not watch.wait("j", 0.01)
    until(lambda: watch._ends.is_heard)
    WakeUps(redis_url).tell_ended(["j"])
    until(lambda: "j" in watch._known)
    assert not watch.wait("j", 0.1)


def test_form_of_many_pictures_is_one_job(http: httpx.Client, collection: str, digits: Digits) -> None:
    pictures = files(*(digits(n % 10, n // 10) for n in range(256)))
    job = http.post(f"/v1/collections/{collection}/classify", files=pictures, headers=WAIT).json()
    assert (job["state"], len(job["results"])) == ("succeeded", 256)
