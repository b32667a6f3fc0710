"""Reviews that enrol: the picture becomes a support, is moved, and goes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from enrolling import claim, settle, submit
from PIL import Image
from shapes import png
from test_api_job_outputs import finish
from test_api_origins import client
from test_api_review import many, results, review

from core.jobs import Item, JobKind, JobRequest, Lane
from core.settings import Settings
from store.blobs import PICTURES, uploads_of
from store.record.keys import Scope
from store.store import Store
from store.work.jobs import new_job_id

PLACES = dict[str, list[str]]


@pytest.fixture
def job(things: Store) -> str:
    """A finished job of six pictures, of which the last two are the same."""
    return finished(things, [b"p0", b"p1", b"p2", b"p3", b"same", b"same"])


def finished(store: Store, pictures: list[bytes], **places: str) -> str:
    job = new_job_id()
    items = [
        Item(n, store.blobs.put(uploads_of(job), content), place=places.get(f"at{n}"))
        for n, content in enumerate(pictures)
    ]
    made = store.jobs.submit(job, JobRequest("things", JobKind.CLASSIFY, Lane.INTERACTIVE, items)).job.id
    for chunk in claim(store):
        finish(store, chunk)
    return made


def picture(number: int) -> bytes:
    return png(Image.new("RGB", (40, 30), (number, 99, 99)))


def work(store: Store) -> int:
    """Do all waiting enrolments, as a worker would; return how many chunks these were."""
    chunks = claim(store)
    for chunk in chunks:
        assert settle(store, chunk)
    return len(chunks)


def classes(store: Store) -> PLACES:
    """Return the pictures of each class that has some."""
    found: PLACES = {}
    for support in store.supports.page("things"):
        content = store.blobs.get(PICTURES, support.picture).decode()
        found.setdefault(support.label, []).append(content)
    return found


def enrol(store: Store, content: bytes, label: str) -> int:
    job = submit(store, Item(0, store.blobs.put(PICTURES, content), label))
    work(store)
    return store.jobs.results(job).results[0]["support_id"]


def test_picture_becomes_a_support_of_its_label(local: httpx.Client, things: Store, job: str) -> None:
    answer = review(local, job, 0, label="bmx", enroll=True).json()
    assert (answer["final_label"], answer["review"]["enroll"], answer["review"]["support_id"]) == (
        "bmx", True, None,
    )  # fmt: skip
    assert work(things) == 1
    [found] = results(local, job, reviewed="true")
    support = things.supports.get("things", found["review"]["support_id"])
    assert (support.label, support.external_id) == ("bmx", "+0")
    enrolled = local.get(f"/v1/jobs/{found['review']['enroll_job']}/results").json()["items"]
    assert [(one["custom_id"], one["support_id"]) for one in enrolled] == [("0", support.id)]


def test_jobs_of_reviews_are_listed_when_asked_for(local: httpx.Client, things: Store, job: str) -> None:
    made = review(local, job, 0, label="bmx", enroll=True).json()["review"]["enroll_job"]
    listed = local.get("/v1/jobs").json()["items"]
    assert made not in [one["id"] for one in listed]
    [of_job] = local.get("/v1/jobs", params={"target": job}).json()["items"]
    assert (of_job["id"], of_job["target"]) == (made, job)


def test_undone_review_takes_its_support_back(local: httpx.Client, things: Store, job: str) -> None:
    review(local, job, 0, label="bmx", enroll=True)
    work(things)
    for _ in range(2):
        assert local.delete(f"/v1/jobs/{job}/items/0").status_code == 204
        assert classes(things) == {}


@pytest.mark.parametrize("verdict", [{"label": "surfing"}, {"label": None}, {"accepted": True}])
def test_another_verdict_takes_the_support_back(
    local: httpx.Client, things: Store, job: str, verdict: dict[str, Any]
) -> None:
    review(local, job, 0, label="bmx", enroll=True)
    work(things)
    review(local, job, 0, **verdict)
    assert classes(things) == {}
    assert "enroll" not in results(local, job)[0]["review"]


def test_another_label_moves_the_support_without_a_job(local: httpx.Client, things: Store, job: str) -> None:
    review(local, job, 0, label="bmx", enroll=True)
    work(things)
    [before] = things.supports.page("things")
    review(local, job, 0, label="surfing", enroll=True)
    assert work(things) == 0
    assert classes(things) == {"surfing": ["p0"]}
    assert things.supports.page("things")[0].id == before.id
    local.delete(f"/v1/jobs/{job}/items/0")
    assert classes(things) == {}


def test_support_of_another_class_is_moved_and_moved_back(
    local: httpx.Client, things: Store, job: str
) -> None:
    support = enrol(things, b"p1", "archery")
    version = things.collections.get("things").version
    for label in ("bmx", "surfing"):
        answer = review(local, job, 1, label=label, enroll=True).json()
        assert answer["review"]["support_id"] == support
        assert classes(things) == {label: ["p1"]}
    local.delete(f"/v1/jobs/{job}/items/1")
    assert classes(things) == {"archery": ["p1"]}
    assert things.supports.page("things")[0].id == support
    changes = things.supports.changes_since(things.collections.get("things").id, version)
    assert changes is not None
    assert [change.id for change in changes.supports] == [support]


def test_picture_of_several_classes_goes_back_to_all(local: httpx.Client, things: Store, job: str) -> None:
    for label in ("archery", "bmx", "cricket"):
        enrol(things, b"p1", label)
    review(local, job, 1, label="bmx", enroll=True)
    assert classes(things) == {"bmx": ["p1"]}
    local.delete(f"/v1/jobs/{job}/items/1")
    assert classes(things) == {"archery": ["p1"], "bmx": ["p1"], "cricket": ["p1"]}
    review(local, job, 1, label="surfing", enroll=True)
    assert classes(things) == {"surfing": ["p1"]}
    local.delete(f"/v1/jobs/{job}/items/1")
    assert classes(things) == {"archery": ["p1"], "bmx": ["p1"], "cricket": ["p1"]}
    vectors = things.supports.changes_since(things.collections.get("things").id, 0)
    assert vectors is not None
    kept = [change.vector for change in vectors.supports if change.vector is not None]
    assert len(kept) == 3
    assert all((vector == kept[0]).all() for vector in kept)


def test_support_that_was_there_stays_when_undone(local: httpx.Client, things: Store, job: str) -> None:
    enrol(things, b"p1", "bmx")
    review(local, job, 1, label="bmx", enroll=True)
    local.delete(f"/v1/jobs/{job}/items/1")
    assert classes(things) == {"bmx": ["p1"]}


def test_what_was_done_to_the_support_since_stays(local: httpx.Client, things: Store, job: str) -> None:
    many(local, job, items=[0, 1], label="bmx", enroll=True)
    work(things)
    first, second = things.supports.page("things")
    things.supports.move("things", first.id, "surfing")
    things.supports.delete("things", second.id)
    assert local.post(f"/v1/jobs/{job}/unreview", json={"items": [0, 1]}).json()["reviewed"] == 2
    assert classes(things) == {"surfing": ["p0"]}


def test_class_renamed_or_merged_since_is_followed(local: httpx.Client, things: Store, job: str) -> None:
    many(local, job, items=[0, 1], label="bmx", enroll=True)
    work(things)
    enrol(things, b"other", "cycling")
    things.classes.change("things", "bmx", new_label="bicycle")
    review(local, job, 0, label="bmx", enroll=True)  # again: the support is where it should be
    things.classes.merge("things", "cycling", ["bicycle"])
    local.delete(f"/v1/jobs/{job}/items/0")
    assert classes(things) == {"cycling": ["p1", "other"]}


def test_class_deleted_since_does_not_come_back(local: httpx.Client, things: Store, job: str) -> None:
    enrol(things, b"p1", "archery")
    review(local, job, 1, label="bmx", enroll=True)
    things.classes.delete("things", "archery")
    local.delete(f"/v1/jobs/{job}/items/1")
    assert classes(things) == {}


@pytest.mark.parametrize("order", [(4, 5), (5, 4)])
@pytest.mark.parametrize("labels", [("bmx", "bmx"), ("bmx", "surfing")])
def test_one_picture_in_two_items_is_one_support(
    local: httpx.Client, things: Store, job: str, order: tuple[int, int], labels: tuple[str, str]
) -> None:
    for item, label in zip((4, 5), labels, strict=True):
        review(local, job, item, label=label, enroll=True)
    work(things)
    assert classes(things) == {labels[1]: ["same"]}
    local.delete(f"/v1/jobs/{job}/items/{order[0]}")
    left = labels[0] if order[0] == 5 else labels[1]
    assert classes(things) == {left: ["same"]}
    local.delete(f"/v1/jobs/{job}/items/{order[1]}")
    assert classes(things) == {}


def test_picture_that_is_not_kept_is_a_clear_error(local: httpx.Client, things: Store) -> None:
    job = finished(things, [b"p0", b"p1"], at1="file:/pictures/1.jpg")
    refused = local.post(f"/v1/jobs/{job}/review", json={"items": [0, 1], "label": "bmx", "enroll": True})
    assert (refused.status_code, refused.json()["code"]) == (404, "blob_not_found")
    assert "item 1 is not kept" in refused.json()["detail"]
    assert results(local, job, reviewed="true") == []
    assert work(things) == 0


def test_pictures_of_server_folders_are_shown_and_enrolled_while_they_are_there(
    settings: Settings, things: Store, tmp_path: Path
) -> None:
    root = tmp_path / "album"
    root.mkdir()
    for number in range(2):
        (root / f"{number}.png").write_bytes(picture(number))
    rooted = settings.model_copy(update={"roots": (str(root),)})
    http = client(rooted, things)
    places = {f"at{n}": f"file:{root}/{n}.png" for n in range(3)}
    job = finished(things, [b"", b"", b""], **places)
    shown = [http.get(f"/v1/jobs/{job}/items/{item}/thumbnail") for item in range(3)]
    assert [(one.status_code, one.headers["content-type"]) for one in shown[:2]] == [(200, "image/jpeg")] * 2
    assert (shown[2].status_code, shown[2].json()["code"]) == (404, "blob_not_found")
    review(http, job, 1, label="bmx", enroll=True)
    [chunk] = claim(things)
    assert things.blobs.get(PICTURES, chunk.items[0].picture or "") == picture(1)
    refused = http.patch(f"/v1/jobs/{job}/items/2", json={"label": "bmx", "enroll": True})
    assert (refused.status_code, refused.json()["code"]) == (404, "blob_not_found")
    outside = client(settings, things).get(f"/v1/jobs/{job}/items/0/thumbnail")
    assert (outside.status_code, outside.json()["code"]) == (404, "blob_not_found")


def test_many_are_enrolled_by_one_job(local: httpx.Client, things: Store, job: str) -> None:
    answer = local.post(
        f"/v1/jobs/{job}/review", json={"where": {"label": "class 0"}, "label": "bmx", "enroll": True}
    ).json()
    assert answer["reviewed"] == 2
    work(things)
    assert things.jobs.get(answer["enroll_job"]).total == 2
    assert classes(things) == {"bmx": ["p0", "p3"]}
    none = {"where": {"label": "nothing"}, "label": "bmx", "enroll": True}
    assert many(local, job, **none) == 0


def test_key_that_may_not_enrol_leaves_supports_alone(local: httpx.Client, things: Store, job: str) -> None:
    review(local, job, 0, label="bmx", enroll=True)
    work(things)
    bearer = {"Authorization": f"Bearer {things.keys.create('Ann', [Scope.CLASSIFY])}"}
    path = f"/v1/jobs/{job}/items"
    for refused in (
        local.patch(f"{path}/1", json={"label": "bmx", "enroll": True}, headers=bearer),
        local.patch(f"{path}/0", json={"label": None}, headers=bearer),
        local.delete(f"{path}/0", headers=bearer),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "key_scope_missing")
    assert local.patch(f"{path}/1", json={"label": "bmx"}, headers=bearer).status_code == 200
    assert classes(things) == {"bmx": ["p0"]}


@pytest.mark.parametrize("body", [{"label": None}, {"accepted": True}])
def test_enrolling_needs_a_label(local: httpx.Client, job: str, body: dict[str, Any]) -> None:
    answer = review(local, job, 0, **body, enroll=True)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
