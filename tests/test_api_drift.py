"""Drift over HTTP: counts of live answers by period and caller, corrected by reviews."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from calls import WAIT, ask, enroll, files
from sqlalchemy import insert, select
from tiny import DEFAULT
from waiting import until

from core.collections import Rule
from core.live_answers import LiveCounts, counts_of
from store import tables as t
from store.record.live_answers import HOUR_S, MOST_SUMMED
from store.store import Store

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)


def answers(label: str | None, confidence: float, times: int) -> LiveCounts:
    decision = "unknown" if label is None else "known"
    score = 0.1 if label is None else 0.9
    one = {
        "status": "done", "decision": decision, "label": label, "confidence": confidence,
        "novelty": {"score": score, "threshold": 0.5},
    }  # fmt: skip
    return counts_of([one] * times)


def put(store: Store, collection_id: int, at: datetime, counts: LiveCounts, caller: str = "local") -> None:
    row = {
        "collection_id": collection_id,
        "hour": int(at.timestamp() // HOUR_S),
        "caller": caller,
        "counts": counts.pack(),
    }
    with store.database.write() as connection:
        connection.execute(insert(t.settled_answers).values(row))


@pytest.fixture
def birds(store: Store) -> int:
    """A collection with answers of three days, for two callers."""
    found = store.collections.create("birds", DEFAULT, Rule())
    store.collections.create("other", DEFAULT, Rule())
    put(store, found.id, NOW - timedelta(days=2), answers("wren", 0.9, 8))
    put(store, found.id, NOW - timedelta(days=2, hours=3), answers("robin", 0.5, 8), "key1")
    put(store, found.id, NOW, answers("wren", 0.8, 3))
    put(store, found.id, NOW, answers(None, 0.0, 1))
    return found.id


def drift(local: httpx.Client, collection: str = "birds", **query: str) -> dict:
    asked = {"since": "2026-03-01", "until": "2026-03-10T13:00:00Z", **query}
    response = local.get(f"/v1/collections/{collection}/drift", params=asked)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("summed", [False, True])
def test_periods_hold_what_was_answered_in_them(
    local: httpx.Client, store: Store, birds: int, summed: bool
) -> None:
    if summed:
        assert store.live_answers.sum() == 4
        assert store.live_answers.sum() == 0
    found = drift(local)
    first, last = found["periods"]
    assert (first["begin"], first["end"]) == ("2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z")
    assert (first["answers"], first["labels"]) == (16, {"wren": 8, "robin": 8})
    assert first["estimated_accuracy"] == pytest.approx(0.7)
    assert (last["answers"], last["unknown_share"], last["novel_share"]) == (4, 0.25, 0.25)
    assert last["change"] == pytest.approx(0.558, abs=0.001)  # as in the test of `distance`
    assert found["whole"]["answers"] == 20
    assert found["false_reject"] == Rule().false_reject
    callers = [(one["caller"], one["answers"]) for one in found["callers"]]
    assert callers == [("local", 12), ("key1", 8)]


def test_one_caller_and_hours(local: httpx.Client, birds: int) -> None:
    [period] = drift(local, caller="key1", step="hour", since="2026-03-08")["periods"]
    assert (period["begin"], period["labels"]) == ("2026-03-08T09:00:00Z", {"robin": 8})


def test_what_was_not_asked_for_is_left_out(local: httpx.Client, birds: int) -> None:
    assert [one["answers"] for one in drift(local, until="2026-03-09")["periods"]] == [16]
    assert drift(local, "other")["periods"] == []
    assert drift(local, "other")["whole"]["unknown_share"] is None


def test_sums_of_several_times_are_added(local: httpx.Client, store: Store, birds: int) -> None:
    store.live_answers.sum()
    put(store, birds, NOW, answers("wren", 0.8, 5))
    store.live_answers.sum()
    assert drift(local)["periods"][-1]["answers"] == 9
    with store.database.read() as connection:
        assert connection.execute(select(t.settled_answers)).all() == []


def test_many_rows_are_summed_in_several_transactions(store: Store, birds: int) -> None:
    row = {"collection_id": birds, "hour": 1, "caller": "local", "counts": answers("wren", 0.5, 1).pack()}
    with store.database.write() as connection:
        connection.execute(insert(t.settled_answers), [row] * MOST_SUMMED)
    assert store.live_answers.sum() == MOST_SUMMED
    assert store.live_answers.sum() == 4
    [hour] = store.live_answers.hours(birds, HOUR_S, 2 * HOUR_S)
    assert hour.counts.answers == MOST_SUMMED


def test_counts_of_long_ago_are_forgotten(store: Store, birds: int) -> None:
    put(store, birds, datetime.now(UTC), answers("wren", 0.8, 5))
    store.live_answers.sum()
    before = store.live_answers.by_collection(0, 2e10)[birds].answers
    store.live_answers.remove_old(HOUR_S)
    assert (before, store.live_answers.by_collection(0, 2e10)[birds].answers) == (25, 5)


def test_counts_go_with_their_collection(local: httpx.Client, store: Store, birds: int) -> None:
    store.live_answers.sum()
    put(store, birds, NOW, answers("wren", 0.8, 5))
    assert local.delete("/v1/collections/birds").status_code == 204
    assert store.live_answers.by_collection(0, 2e10) == {}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "2026-03-11"}, "since: expected a time before"),
        ({"since": "2020-01-01", "step": "hour"}, "at most 1000 periods"),
        ({"since": "yesterday"}, "since"),
        ({"step": "week"}, "step"),
    ],
)
def test_time_that_makes_no_sense_is_refused(
    local: httpx.Client, birds: int, query: dict[str, str], said: str
) -> None:
    asked = {"until": "2026-03-10T13:00:00Z", **query}
    answer = local.get("/v1/collections/birds/drift", params=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    assert said in answer.json()["detail"]


def test_answers_are_counted_as_they_are_given_and_corrected_by_reviews(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    for digit in (0, 1):
        enroll(http, collection, f"digit {digit}", *(digits(digit, n) for n in range(6)))
    ask(http, collection, *(digits(0, n) for n in range(10, 20)))
    path = f"/v1/collections/{collection}/classify"
    pictures = [digits(n % 2, 20 + n) for n in range(12)]
    jobs = [
        http.post(path, files=files(*some), headers=WAIT).json()["id"] for some in (pictures, pictures[::-1])
    ]
    ask(http, collection, digits(0, 40), call="search")
    http.post(f"{path}?version=6", files=files(digits(0, 41)), headers=WAIT).raise_for_status()
    found = http.get(f"/v1/collections/{collection}/drift").json()
    whole, [period] = found["whole"], found["periods"]
    assert whole["answers"] == period["answers"] == 34
    assert sum(whole["decisions"].values()) == 34
    assert whole["corrected_accuracy"] is None
    for job in jobs:
        results = http.get(f"/v1/jobs/{job}/results").json()["items"]
        items = [one["item"] for one in results if one["decision"] != "unknown"]
        http.post(f"/v1/jobs/{job}/review", json={"items": items, "accepted": True}).raise_for_status()
    found = http.get(f"/v1/collections/{collection}/drift").json()["whole"]
    assert found["reviewed"] >= 20 and found["reviewed_accuracy"] == 1
    corrected = found["corrected_accuracy"]
    assert corrected["value"] > found["estimated_accuracy"]
    line = f'exemplar_answers_of_a_day{{collection="{collection}"}} 34.0'
    until(lambda: line in http.get("/metrics").text)  # which keeps its counts for 15 s
