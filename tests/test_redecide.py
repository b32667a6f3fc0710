"""Deciding again: new answers from kept vectors, as a new version, on both databases."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from picture_files import encode
from PIL import Image
from sqlalchemy import func, select
from test_api_job_outputs import PARQUET
from tiny import DEFAULT
from working import ToyEncoder, submit, tools_with

from core.collections import Rule
from core.jobs import Item, JobKind, JobRequest, JobState, Lane
from core.settings import Settings
from store import tables as t
from store.blobs import uploads_of
from store.store import Store
from store.work.item_vectors import ItemVectors
from store.work.jobs import new_job_id
from worker.pipeline import run_pipeline
from worker.sweep import remove_old_jobs
from worker.tools import Tools

pytestmark = pytest.mark.slow

GREYS = [*range(50, 70), *range(180, 200)]
"""Twenty dark pictures, then twenty light ones."""


@pytest.fixture
def encoder() -> ToyEncoder:
    return ToyEncoder()


@pytest.fixture
def tools(settings: Settings, store: Store, encoder: ToyEncoder) -> Iterator[Tools]:
    store.collections.create("things", DEFAULT, Rule(false_reject=0.0))
    with tools_with(settings, store, encoder) as tools:
        enrol(tools, "dark", *range(55, 61))
        yield tools


@pytest.fixture
def job(tools: Tools) -> str:
    """A finished job in which every picture was taken for dark."""
    return classify(tools, GREYS)


def picture(grey: int) -> bytes:
    return encode(Image.new("L", (8, 8), grey))


def enrol(tools: Tools, label: str, *greys: int) -> None:
    submit(tools.store, JobKind.ENROLL, *map(picture, greys), label=label, lane=Lane.BULK)
    work(tools)


def work(tools: Tools) -> None:
    while run_pipeline(tools, DEFAULT):
        pass


def classify(
    tools: Tools, greys: Sequence[int | None], *, chunk: int = 7, smooth: bool = False, cancel: bool = False
) -> str:
    """Submit pictures, of which None is no picture, and answer them."""
    store, job = tools.store, new_job_id()
    contents = [b"none" if grey is None else picture(grey) for grey in greys]
    items = [
        Item(n, store.blobs.put(uploads_of(job), content), custom_id=f"p{n}")
        for n, content in enumerate(contents)
    ]
    store.jobs._limits = replace(store.jobs._limits, chunk_items=chunk)
    store.jobs.submit(job, JobRequest("things", JobKind.CLASSIFY, Lane.BULK, items, 2, smooth=smooth))
    if cancel:
        store.control.cancel(job)
    work(tools)
    return job


def ask(local: httpx.Client, job: str, **body: Any) -> str:
    answer = local.post(f"/v1/jobs/{job}/redecide", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"].endswith(answer.json()["id"])
    assert answer.json()["target"] == job
    return answer.json()["id"]


def again(local: httpx.Client, tools: Tools, job: str, **body: Any) -> dict[str, Any]:
    """Decide again, and return the summary of that."""
    redecide = ask(local, job, **body)
    work(tools)
    return summary(local, redecide)


def results(local: httpx.Client, job: str, **query: Any) -> list[dict[str, Any]]:
    return local.get(f"/v1/jobs/{job}/results", params={"limit": 1000, **query}).json()["items"]


def labels(local: httpx.Client, job: str, **query: Any) -> list[str | None]:
    return [one.get("label") for one in results(local, job, **query)]


def summary(local: httpx.Client, job: str, **query: Any) -> dict[str, Any]:
    answer = local.get(f"/v1/jobs/{job}/summary", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def count(store: Store, table: Any) -> int:
    with store.database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_what_was_learnt_since_is_applied_without_the_encoder(
    local: httpx.Client, tools: Tools, encoder: ToyEncoder, job: str
) -> None:
    first = results(local, job)
    assert labels(local, job) == ["dark"] * 40
    enrol(tools, "light", *range(185, 191))
    batches = len(encoder.batches)
    redecide = ask(local, job)
    work(tools)
    assert len(encoder.batches) == batches
    assert labels(local, job) == ["dark"] * 20 + ["light"] * 20
    told = summary(local, redecide)
    assert (told["state"], told["asked"], told["changed"], told["total"]) == ("succeeded", 40, 20, 40)
    assert (told["reviewed_left_alone"], told["without_vector"]) == (0, 0)
    assert told["changes"] == [{"from": "dark", "to": "light", "items": 20}]
    # they are the answers that classifying the pictures now gives
    fresh = results(local, classify(tools, GREYS))
    for was, now, new in zip(first, results(local, job), fresh, strict=True):
        assert (now["item"], now["custom_id"]) == (was["item"], was["custom_id"])
        assert now["index_version"] == new["index_version"] > was["index_version"]
        assert now["confidence"] == pytest.approx(new["confidence"], abs=1e-3)
        assert len(now["candidates"]) == len(new["candidates"]) == 2
        assert now.keys() == new.keys()
    one = results(local, redecide)[30]
    assert (one["item"], one["custom_id"], one["outcome"]) == (30, "p30", "changed")
    assert (one["before"]["label"], one["label"]) == ("dark", "light")


def test_each_version_stays_readable_in_every_form(local: httpx.Client, tools: Tools, job: str) -> None:
    first = results(local, job)
    counts = summary(local, job)["labels"]
    enrol(tools, "light", *range(185, 191))
    again(local, tools, job)
    second = results(local, job)
    enrol(tools, "pale", *range(191, 200))
    again(local, tools, job)
    assert "pale" in labels(local, job)
    assert results(local, job, version=1) == first
    assert results(local, job, version=2) == second
    assert results(local, job, version=3) == results(local, job)
    assert results(local, job, version=2, label="light") == second[20:]
    assert results(local, job, version=1, label="light") == []
    assert summary(local, job, version=1)["labels"] == counts == {"dark": 40}
    assert summary(local, job, version=2)["labels"] == {"dark": 20, "light": 20}
    assert summary(local, job, version=3) == summary(local, job)

    def get(accept: str, version: int) -> httpx.Response:
        path = f"/v1/jobs/{job}/results"
        return local.get(path, headers={"Accept": accept}, params={"version": version})

    for version, label in ((1, "dark"), (2, "light")):
        line = json.loads(get("application/x-ndjson", version).text.splitlines()[21])
        row = list(csv.DictReader(io.StringIO(get("text/csv", version).text)))[21]
        cell = pq.read_table(io.BytesIO(get(PARQUET, version).content)).to_pylist()[21]
        assert {line["label"], row["label"], cell["label"], cell["final_label"]} == {label}
    versions = local.get(f"/v1/jobs/{job}").json()["versions"]
    assert [one["version"] for one in versions] == [1, 2, 3]
    numbers = [one["index_version"] for one in versions]
    assert numbers == sorted(set(numbers))
    assert all(one["decided_at"] for one in versions)
    for version, status, code in ((4, 404, "version_not_found"), (0, 422, "request_invalid")):
        for path in ("results", "summary"):
            answer = local.get(f"/v1/jobs/{job}/{path}", params={"version": version})
            assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert get("text/csv", 4).status_code == 404


def test_orders_are_those_of_the_new_answers(local: httpx.Client, tools: Tools, job: str) -> None:
    def by_confidence() -> list[float]:
        return [one["confidence"] for one in results(local, job, order="confidence")]

    before = by_confidence()
    enrol(tools, "light", *range(185, 191))
    again(local, tools, job)
    assert by_confidence() == sorted(by_confidence()) != before
    first = results(local, job, order="confidence", version=1)
    assert [one["confidence"] for one in first] == before
    as_submitted = sorted(first, key=lambda one: int(one["item"]))
    assert as_submitted == results(local, job, version=1)
    unknown = local.get(f"/v1/jobs/{job}/results", params={"version": 3, "order": "confidence"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "version_not_found")


def test_pages_of_a_version_are_those_of_the_job(local: httpx.Client, tools: Tools, job: str) -> None:
    first = results(local, job)
    enrol(tools, "light", *range(185, 191))
    again(local, tools, job)
    found, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = local.get(f"/v1/jobs/{job}/results", params={"limit": 3, "version": 1, **more}).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == first


def test_what_people_reviewed_is_left_alone(local: httpx.Client, tools: Tools, job: str) -> None:
    for item, body in ((25, {"label": "moon"}), (26, {"accepted": True}), (27, {"label": None})):
        assert local.patch(f"/v1/jobs/{job}/items/{item}", json=body).status_code == 200
    before = results(local, job)
    enrol(tools, "light", *range(185, 191))
    told = again(local, tools, job)
    assert (told["asked"], told["changed"], told["reviewed_left_alone"]) == (37, 17, 3)
    assert results(local, job)[25:28] == before[25:28]
    assert labels(local, job)[24:29] == ["light", "dark", "dark", "dark", "light"]
    counts = summary(local, job)
    assert counts["labels"] == {"dark": 23, "light": 17}
    assert counts["final_labels"] == {"dark": 21, "light": 17, "moon": 1}
    local.patch(f"/v1/jobs/{job}/items/39", json={"label": "moon"})
    assert summary(local, job)["final_labels"] == {"dark": 21, "light": 16, "moon": 2}
    past = summary(local, job, version=1)
    assert (past["labels"], past["final_labels"]) == ({"dark": 40}, {"dark": 37, "moon": 2})
    assert results(local, job, version=1)[39]["final_label"] == "moon"


def test_dry_run_changes_nothing(local: httpx.Client, tools: Tools, job: str) -> None:
    before, counts = results(local, job), summary(local, job)
    enrol(tools, "light", *range(185, 191))
    told = again(local, tools, job, dry_run=True)
    assert told["changes"] == [{"from": "dark", "to": "light", "items": 20}]
    assert results(local, job) == before
    assert summary(local, job) == counts
    assert len(local.get(f"/v1/jobs/{job}").json()["versions"]) == 1
    assert again(local, tools, job)["changes"] == told["changes"]
    assert again(local, tools, job, dry_run=True)["changes"] == []


def test_rule_merge_and_deletion_are_applied_to_past_answers(
    local: httpx.Client, tools: Tools, job: str
) -> None:
    enrol(tools, "light", *range(185, 191))
    local.post("/v1/collections/things/classes/night/merge", json={"from": ["dark"]})
    again(local, tools, job)
    local.delete("/v1/collections/things/classes/light")
    told = again(local, tools, job)
    assert told["changed"] == 20
    local.patch("/v1/collections/things", json={"rule": {"certainty": 1.0}})
    before = results(local, job)
    again(local, tools, job)
    assert {one["decision"] for one in results(local, job)} <= {"known", "ambiguous"}
    assert [one["label"] for one in before] == labels(local, job)


def test_items_without_a_vector_are_counted(local: httpx.Client, tools: Tools) -> None:
    job = classify(tools, [*GREYS[:5], None, *GREYS[20:25]])
    enrol(tools, "light", *range(185, 191))
    told = again(local, tools, job)
    assert (told["asked"], told["changed"], told["without_vector"], told["failed"]) == (10, 5, 1, 0)
    assert [one["status"] for one in results(local, job)].count("failed") == 1


def test_retry_keeps_the_vectors_of_the_others(local: httpx.Client, tools: Tools, job: str) -> None:
    broken = classify(tools, [60, None, 190, None, 61], chunk=5)
    names = [item.picture for item in inputs(tools.store, broken)]
    path = tools.store.blobs._path(uploads_of(broken), names[1] or "")
    with open(path, "wb") as file:
        file.write(picture(195))
    tools.store.control.retry(broken)
    work(tools)
    assert tools.store.jobs.get(broken).state is JobState.SUCCEEDED
    enrol(tools, "light", *range(185, 191))
    assert again(local, tools, broken)["asked"] == 5
    assert labels(local, broken) == ["dark", "light", "light", "light", "dark"]


def inputs(store: Store, job: str) -> list[Item]:
    with store.database.read() as connection:
        rows = connection.execute(select(t.chunk.c.inputs).where(t.chunk.c.job_id == job)).scalars()
        return [Item(**packed) for row in rows for packed in row]


def test_vectors_are_those_that_the_index_was_asked_with(tools: Tools, encoder: ToyEncoder, job: str) -> None:
    kept = tools.store.item_vectors.between(job, 0, 40, DEFAULT)
    expected = encoder.embed([np.full((2, 2, 3), grey) for grey in GREYS])
    assert list(kept) == list(range(40))
    assert np.allclose(np.stack(list(kept.values())), expected, atol=1e-3)
    assert np.allclose(np.linalg.norm(np.stack(list(kept.values())), axis=1), 1, atol=1e-6)
    assert list(tools.store.item_vectors.between(job, 6, 9, DEFAULT)) == [6, 7, 8]
    assert not tools.store.item_vectors.between(job, 0, 40, "other")


def test_chunk_settled_twice_keeps_its_vectors_once(tools: Tools, job: str) -> None:
    assert count(tools.store, t.item_vectors) == 6
    classify(tools, GREYS[:3])
    assert count(tools.store, t.item_vectors) == 7


def test_vectors_and_versions_go_with_their_job(local: httpx.Client, tools: Tools, job: str) -> None:
    enrol(tools, "light", *range(185, 191))
    again(local, tools, job)
    remove_old_jobs(tools.store, 0.0)
    for table in (t.item_vectors, t.answer_version, t.past_results):
        assert count(tools.store, table) == 0


def test_switched_off_nothing_is_kept(local: httpx.Client, tools: Tools) -> None:
    off = replace(tools, settings=tools.settings.model_copy(update={"keep_vectors": False}))
    job = classify(off, GREYS[:3])
    assert refused(local, job) == (409, "vectors_missing")
    assert count(tools.store, t.item_vectors) == 0


def refused(local: httpx.Client, job: str, call: str = "redecide") -> tuple[int, str]:
    answer = local.post(f"/v1/jobs/{job}/{call}", json={})
    assert answer.json()["detail"]
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("call", ["redecide", "groups"])
def test_what_cannot_be_decided_again_is_refused(
    local: httpx.Client, tools: Tools, job: str, call: str
) -> None:
    store = tools.store
    assert refused(local, "0" * 32, call) == (404, "job_not_found")
    search = submit(store, JobKind.SEARCH, picture(60))
    waiting = submit(store, JobKind.CLASSIFY, picture(60))
    assert refused(local, search, call) == (409, "job_state_invalid")
    assert refused(local, waiting, call) == (409, "job_state_invalid")
    store.control.cancel(waiting)
    assert refused(local, waiting, call) == (409, "vectors_missing")
    assert local.delete("/v1/collections/things").status_code == 204
    store.collections.create("things", DEFAULT, Rule())
    assert refused(local, job, call) == (404, "collection_not_found")


def test_smoothed_job_is_refused(local: httpx.Client, tools: Tools) -> None:
    job = classify(tools, GREYS[:3], smooth=True)
    held = tools.store.smoothings.claim("w:1")
    assert held is not None
    tools.store.smoothings.finish("w:1", job, tools.store.smoothings.chunks(job))
    assert refused(local, job) == (409, "job_state_invalid")


def test_vectors_of_another_encoder_are_refused(
    local: httpx.Client, tools: Tools, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tools.store.database.write() as connection:
        connection.execute(t.item_vectors.update().values(encoder="other"))
    assert refused(local, job) == (409, "vectors_missing")
    redecide = ask_late(local, tools, job)
    assert summary(local, redecide)["without_vector"] == 40


def ask_late(local: httpx.Client, tools: Tools, job: str) -> str:
    """Decide again without the checks of the call, as if things had changed right after them."""
    asked = JobRequest(
        "things", JobKind.REDECIDE, Lane.BULK, [Item(n) for n in range(40)], target=job,
        options={"dry_run": False},
    )  # fmt: skip
    redecide = new_job_id()
    tools.store.jobs.submit(redecide, asked)
    work(tools)
    return redecide


def test_job_is_decided_again_by_one_job_at_a_time(local: httpx.Client, tools: Tools, job: str) -> None:
    ask(local, job, dry_run=True)
    redecide = ask(local, job)
    assert refused(local, job) == (409, "job_state_invalid")
    local.post(f"/v1/jobs/{redecide}/cancel")
    ask(local, job)
    work(tools)
    assert refused_none(local, job)


def refused_none(local: httpx.Client, job: str) -> bool:
    return local.post(f"/v1/jobs/{job}/redecide", json={}).status_code == 202


def test_same_key_asks_once(local: httpx.Client, tools: Tools, job: str) -> None:
    call = {"url": f"/v1/jobs/{job}/redecide", "headers": {"Idempotency-Key": "a"}}
    first, second = (local.post(**call, json={}).json()["id"] for _ in range(2))
    assert first == second
    assert local.post(**call, json={"dry_run": True}).json()["code"] == "idempotency_conflict"


class Killed(BaseException):
    """The end of a worker in the middle of its work."""


def die_after(tools: Tools, chunks: int) -> None:
    """Work until a worker dies over the chunk after so many."""
    between, reads = ItemVectors.between, 0

    def dies(self: ItemVectors, *arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads > chunks:
            raise Killed
        return between(self, *arguments)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(ItemVectors, "between", dies)
        with pytest.raises(Killed):
            work(tools)
    tools.loader.submit(int).result()  # a worker that is killed claims nothing afterwards


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    """The items that are decided again in one transaction: so few that 40 are several."""
    monkeypatch.setattr("store.work.submission.MAX_CHUNK_ITEMS", 8)
    return 8


@pytest.mark.parametrize("breaks_at", [0, 1, 3])
def test_whoever_dies_over_it_the_next_goes_on(
    local: httpx.Client, tools: Tools, small_chunks: int, breaks_at: int
) -> None:
    job = classify(tools, GREYS, chunk=4)
    enrol(tools, "light", *range(185, 191))
    redecide = ask(local, job)
    die_after(tools, breaks_at)
    assert summary(local, redecide)["done"] == breaks_at * small_chunks
    tools.store.chunks.expire_leases("w")
    tools.store.chunks.sweep()
    work(tools)
    told = summary(local, redecide)
    assert (told["state"], told["asked"], told["changed"]) == ("succeeded", 40, 20)
    assert labels(local, job) == ["dark"] * 20 + ["light"] * 20
    assert summary(local, job)["labels"] == {"dark": 20, "light": 20}
    assert summary(local, job, version=1)["labels"] == {"dark": 40}
    assert set(labels(local, job, version=1)) == {"dark"}
    assert len(local.get(f"/v1/jobs/{job}").json()["versions"]) == 2


def test_what_a_later_job_has_decided_is_left_to_it(
    local: httpx.Client, tools: Tools, small_chunks: int
) -> None:
    job = classify(tools, GREYS, chunk=4)
    enrol(tools, "light", *range(185, 191))
    early = ask(local, job)
    die_after(tools, 4)
    late = ask_late(local, tools, job)  # as if it had been asked at the same moment
    assert summary(local, late)["state"] == "succeeded"
    before = results(local, job)
    tools.store.chunks.expire_leases("w")
    tools.store.chunks.sweep()
    work(tools)
    told = summary(local, early)
    left, done = told["errors"]["redecide_outdated"], told["done"]
    assert (told["state"], (left, done)) == ("partial", (40 - 4 * small_chunks, 4 * small_chunks))
    assert results(local, job) == before
    assert summary(local, job, version=1)["labels"] == {"dark": 40}
    second = labels(local, job, version=2)
    assert summary(local, job, version=2)["labels"] == dict(Counter(second).most_common())
    assert [label == "light" for label in second].count(True) == told["changed"] > 0
    assert summary(local, job)["labels"] == {"dark": 20, "light": 20}


def test_cancelled_part_is_not_decided(local: httpx.Client, tools: Tools, job: str) -> None:
    enrol(tools, "light", *range(185, 191))
    redecide = ask(local, job)
    [chunk] = tools.store.chunks.claim("w:1", DEFAULT, list(Lane), 100)
    assert local.post(f"/v1/jobs/{redecide}/cancel").json()["state"] == "cancelled"
    tools.store.chunks.requeue("w:1", [chunk])
    work(tools)
    assert labels(local, job) == ["dark"] * 40
    again(local, tools, job)
    assert labels(local, job)[-1] == "light"


def test_review_given_meanwhile_is_of_the_new_answer(
    local: httpx.Client, tools: Tools, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(tools, "light", *range(185, 191))
    ask(local, job)
    reviews = tools.store.reviews
    answers = reviews._answers

    def slowly(*arguments: Any) -> Any:
        found = answers(*arguments)
        work(tools)
        return found

    monkeypatch.setattr(type(reviews), "_answers", lambda _, *arguments: slowly(*arguments))
    assert local.patch(f"/v1/jobs/{job}/items/30", json={"accepted": True}).json()["final_label"] == "light"
    assert summary(local, job)["final_labels"] == {"dark": 20, "light": 20}


def test_time_of_one_chunk_is_told(local: httpx.Client, tools: Tools, job: str) -> None:
    again(local, tools, job)
    assert set(results(local, job)[0]["timing_ms"]) == {"search"}


def test_orders_follow_the_new_answers(local: httpx.Client, tools: Tools, job: str) -> None:
    assert results(local, job, order="confidence", label="light") == []
    enrol(tools, "light", *range(185, 191))
    again(local, tools, job)
    found = results(local, job, order="confidence", label="light")
    assert {one["item"] for one in found} == set(range(20, 40))
    assert results(local, job, order="confidence", label="light", version=1) == []
    assert len(results(local, job, order="name", label="dark", version=1)) == 40
