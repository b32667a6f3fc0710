"""Reviews that enrol, repeated, at once, overtaken and broken off: nothing is lost, nothing is doubled."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from enrolling import claim, settle
from test_api_review import results, review
from test_api_review_enrolment import PLACES, classes, enrol, finished, work

from store.store import Store


@pytest.fixture
def job(things: Store) -> str:
    """A finished job of three pictures."""
    return finished(things, [b"p0", b"p1", b"p2"])


def test_repeated_review_makes_one_support(local: httpx.Client, things: Store, job: str) -> None:
    for _ in range(3):
        review(local, job, 0, label="bmx", enroll=True)
    assert work(things) == 1
    for _ in range(2):
        review(local, job, 0, label="bmx", enroll=True)
        assert work(things) == 0
    assert classes(things) == {"bmx": ["p0"]}
    review(local, job, 0, label="bmx")  # the same label: the support stays
    assert classes(things) == {"bmx": ["p0"]}


def test_review_undone_before_its_job_is_done_enrols_nothing(
    local: httpx.Client, things: Store, job: str
) -> None:
    made = review(local, job, 0, label="bmx", enroll=True).json()["review"]["enroll_job"]
    local.delete(f"/v1/jobs/{job}/items/0")
    work(things)
    assert classes(things) == {}
    [result] = things.jobs.results(made).results
    assert result["error"]["code"] == "review_changed"


def test_label_changed_before_its_job_is_done_is_the_only_one(
    local: httpx.Client, things: Store, job: str
) -> None:
    for label in ("bmx", "surfing", "bmx"):
        review(local, job, 0, label=label, enroll=True)
    chunks = claim(things)
    for chunk in reversed(chunks):  # the jobs overtake each other
        assert settle(things, chunk)
    assert classes(things) == {"bmx": ["p0"]}
    local.delete(f"/v1/jobs/{job}/items/0")
    assert classes(things) == {}


def test_review_whose_job_was_cancelled_is_made_right_by_a_repetition(
    local: httpx.Client, things: Store, job: str
) -> None:
    made = review(local, job, 0, label="bmx", enroll=True).json()["review"]["enroll_job"]
    things.control.cancel(made)
    assert work(things) == 0
    review(local, job, 0, label="bmx", enroll=True)
    assert work(things) == 1
    assert classes(things) == {"bmx": ["p0"]}


@pytest.mark.parametrize("broken", ["submit_within", "place_reviewed", "take_back"])
def test_review_that_breaks_half_way_changes_nothing(
    local: httpx.Client, things: Store, job: str, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill: the transaction that was open is rolled back, and the same call then does it all."""
    enrol(things, b"p1", "archery")
    review(local, job, 2, label="bmx", enroll=True)
    work(things)
    before, reviewed = classes(things), results(local, job)
    calls: list[Callable[[], httpx.Response]] = [
        lambda: local.post(f"/v1/jobs/{job}/review", json={"items": [0, 1], "label": "bmx", "enroll": True}),
        lambda: local.patch(f"/v1/jobs/{job}/items/2", json={"label": None}),
    ]
    call = calls[broken == "take_back"]
    module = "store.work.jobs" if broken == "submit_within" else "store.work.reviews"

    def killed(*_: Any) -> Any:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.{broken}", killed)
        with pytest.raises((RuntimeError, AssertionError)):
            assert call().status_code == 200
    assert (classes(things), results(local, job)) == (before, reviewed)
    assert work(things) == 0
    assert call().status_code == 200
    work(things)
    assert classes(things) == ({"archery": ["p1"]} if broken == "take_back" else {"bmx": ["p1", "p2", "p0"]})


def test_worker_that_dies_before_settling_enrols_once(local: httpx.Client, things: Store, job: str) -> None:
    review(local, job, 0, label="bmx", enroll=True)
    [lost] = claim(things, owner="dead:1")
    things.chunks.expire_leases("dead")
    assert things.chunks.sweep() == 1
    [again] = claim(things)
    assert not settle(things, lost, "dead:1")
    assert settle(things, again)
    assert not settle(things, again)
    assert classes(things) == {"bmx": ["p0"]}


@pytest.mark.slow
def test_concurrent_reviews_leave_what_the_last_one_says(
    local: httpx.Client, things: Store, job: str
) -> None:
    enrol(things, b"p1", "archery")

    def one(n: int) -> int:
        if n % 5 == 4:
            return local.delete(f"/v1/jobs/{job}/items/{n % 3}").status_code
        return review(local, job, n % 3, label=("bmx", "surfing")[n % 2], enroll=n % 7 != 6).status_code

    def settled(_: int) -> int:
        return work(things)

    with ThreadPoolExecutor(4) as pool:
        codes, _ = list(pool.map(one, range(60))), list(pool.map(settled, range(8)))
    assert set(codes) <= {200, 204}
    work(things)
    expected: PLACES = {}
    for found in results(local, job)[:3]:
        asked = found.get("review", {})
        label = found["final_label"] if asked.get("enroll") else None
        picture = f"p{found['item']}"
        if label is None and picture == "p1":
            label = "archery"
        if label is not None:
            expected.setdefault(label, []).append(picture)
    assert {label: sorted(pictures) for label, pictures in classes(things).items()} == expected
    local.post(f"/v1/jobs/{job}/unreview", json={"items": list(range(3))})
    assert classes(things) == {"archery": ["p1"]}
