"""Bulk submissions over HTTP without a worker: every form of body, refusals, dry runs, on both databases."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from archives import make_tar, make_zip, zip_link
from contract import Contract
from tiny import DEFAULT

from api.app import create_app
from core.collections import Rule
from core.errors import ExemplarError
from core.settings import Settings
from formats.bounded_reader import Forward
from store.blobs import Blobs
from store.record.keys import Scope
from store.store import Store
from store.work.jobs import Jobs

GOOD = {"cat/1.jpg": b"one", "dog/2.jpg": b"two"}
PATH = "/v1/collections/things/bulk"


@pytest.fixture(autouse=True)
def things(store: Store) -> None:
    store.collections.create("things", DEFAULT, Rule())


def post(
    http: httpx.Client,
    body: bytes,
    media_type: str = "application/zip",
    headers: dict[str, str] | None = None,
    **query: object,
) -> httpx.Response:
    sent = {"Content-Type": media_type, **(headers or {})}
    return http.post(PATH, params={"kind": "classify", **query}, content=body, headers=sent)


def uploads(settings: Settings) -> list[str]:
    folder = settings.data / "blobs" / "uploads"
    return [name for _, _, names in os.walk(folder) for name in names]


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/zip", make_zip(GOOD)),
        ("application/octet-stream", make_zip(GOOD)),
        ("application/x-tar", make_tar(GOOD)),
        ("application/gzip", make_tar(GOOD, mode="w:gz")),
        ("application/x-bzip2", make_tar(GOOD, mode="w:bz2")),
        ("application/x-xz", make_tar(GOOD, mode="w:xz")),
        ("application/x-ndjson", b'{"url": "https://example.org/1.jpg"}\n'),
        ("text/csv", b"url\nhttps://example.org/1.jpg\n"),
        ("application/json", b'{"urls": ["https://example.org/1.jpg"]}'),
    ],
)
def test_upload_is_accepted_whatever_its_form(
    local: httpx.Client, store: Store, media_type: str, body: bytes
) -> None:
    answer = post(local, body, media_type)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}" and "retry-after" in answer.headers
    assert (job["lane"], job["state"], job["expanding"], job["progress"]["total"]) == (
        "bulk",
        "queued",
        True,
        0,
    )
    [held] = store.sources.hold("w:1", 4)
    assert held.job_id == job["id"]


def test_archive_and_manifest_come_as_parts(local: httpx.Client, store: Store) -> None:
    files = {
        "archive": ("a.zip", make_zip(GOOD)),
        "manifest": ("rows.csv", b"path,label\ncat/1.jpg,feline\n"),
    }
    answer = local.post(PATH, params={"kind": "enroll"}, files=files)
    assert answer.status_code == 202, answer.text
    [held] = store.sources.hold("w:1", 4)
    assert held.source.manifest_is_csv and held.source.manifest and held.source.archive


@pytest.mark.parametrize(
    ("media_type", "body", "code"),
    [
        ("application/zip", b"", "body_empty"),
        ("application/zip", b"no zip at all", "archive_unreadable"),
        ("application/zip", make_zip(GOOD)[:-40], "archive_unreadable"),
        ("application/zip", make_zip({}), "archive_empty"),
        ("application/x-tar", make_tar({}), "archive_empty"),
        ("application/x-tar", b"x" * 2000, "archive_unreadable"),
        ("application/zip", make_zip({"../evil.jpg": b"x"}), "member_invalid"),
        ("application/x-ndjson", b"\n\n", "archive_empty"),
        ("application/x-ndjson", b"no json", "manifest_invalid"),
        ("text/csv", b"colour\nred\n", "manifest_invalid"),
        ("application/json", b'{"folder": "/etc"}', "path_not_allowed"),
        ("application/json", b'{"folder": "/etc", "urls": []}', "request_invalid"),
        ("application/json", b'{"files": []}', "request_invalid"),
        ("application/json", b'{"folder": "/etc", "prefix": "s3://b/"}', "request_invalid"),
        ("application/json", b'{"prefix": ""}', "request_invalid"),
        ("application/json", b'{"prefix": "s3://b/"}', "url_not_allowed"),
        ("application/json", b'{"urls": []}', "archive_empty"),
        ("application/json", b'{"urls": [5]}', "request_invalid"),
        ("application/json", b"{", "body_unreadable"),
        ("application/pdf", b"%PDF", "media_type_invalid"),
        ("image/jpeg", b"x", "media_type_invalid"),
    ],
)  # fmt: skip
def test_what_holds_nothing_to_work_on_is_refused_and_not_kept(
    local: httpx.Client, settings: Settings, media_type: str, body: bytes, code: str
) -> None:
    answer = post(local, body, media_type)
    assert answer.json()["code"] == code, answer.text
    assert 400 <= answer.status_code < 500
    assert uploads(settings) == []
    assert local.get("/v1/jobs").json()["items"] == []


def test_call_looks_ahead_only_so_far(local: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden files of 512 MB in 0.5 MB: the worker skips them, and the call does not wait for that."""
    unpacked = 0
    take = Forward._take

    def counted(self: Forward, size: int) -> bytes:
        nonlocal unpacked
        unpacked += size
        return take(self, size)

    monkeypatch.setattr(Forward, "_take", counted)
    hidden = [(f"cat/.{number}", bytes(1 << 20)) for number in range(4)]
    members = gzip.compress(make_tar(hidden)[: 4 * ((1 << 20) + 512)], 1)
    answer = post(local, members * 128 + gzip.compress(make_tar(GOOD), 1), "application/gzip")
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert unpacked < 140 << 20


def test_archive_with_too_many_files_is_refused_with_both_numbers(settings: Settings, store: Store) -> None:
    limited = settings.model_copy(update={"bulk_max_items": 1})
    transport = httpx.WSGITransport(app=create_app(limited, store, needs_key=False))
    with httpx.Client(transport=transport, base_url="http://localhost") as http:
        refused = post(http, make_zip(GOOD))
    assert (refused.status_code, refused.json()["code"]) == (413, "items_too_many")
    assert "at most 1 entries" in refused.json()["detail"] and "got 2" in refused.json()["detail"]
    assert uploads(settings) == []


def test_kind_is_needed_and_is_one_of_two(local: httpx.Client) -> None:
    assert local.post(PATH, content=make_zip(GOOD)).json()["code"] == "request_invalid"
    assert post(local, make_zip(GOOD), kind="search").json()["code"] == "request_invalid"


def test_parts_of_other_names_are_refused(local: httpx.Client, settings: Settings) -> None:
    zipped = ("a.zip", make_zip(GOOD))
    for files in ({"file": zipped}, {"manifest": zipped}, [("archive", zipped), ("archive", zipped)]):
        answer = local.post(PATH, params={"kind": "classify"}, files=files)
        assert answer.json()["code"] == "request_invalid"
    nameless = b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n" * 2 + b"--b--\r\n"
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = local.post(PATH, params={"kind": "classify"}, content=nameless, headers=form)
    assert answer.json()["code"] == "request_invalid"
    assert uploads(settings) == []


def test_idempotency_key_answers_with_the_first_job(local: httpx.Client, settings: Settings) -> None:
    key = {"Idempotency-Key": "k"}
    first = post(local, make_zip(GOOD), headers=key).json()["id"]
    kept = uploads(settings)
    assert post(local, make_zip(GOOD), headers=key).json()["id"] == first
    assert uploads(settings) == kept
    for other in (
        post(local, make_tar(GOOD), headers=key),
        post(local, make_zip(GOOD), headers=key, top=7),
        post(local, make_zip(GOOD), headers=key, kind="enroll"),
        post(local, make_zip(GOOD), headers=key, label="cat"),
    ):
        assert other.json()["code"] == "idempotency_conflict"
    assert uploads(settings) == kept


def test_dry_run_says_what_would_be_done_and_keeps_nothing(local: httpx.Client, settings: Settings) -> None:
    files = [
        ("cat/1.jpg", b"one"), ("cat/2.jpg", b"two!"), ("dog/3.jpg", b"three"), ("../evil.jpg", b"x"),
        zip_link("cat/link.jpg", "/etc/passwd"), ("loose.jpg", b"x"), ("cat/.DS_Store", b"x"),
    ]  # fmt: skip
    answer = post(local, make_zip(files), kind="enroll", dry_run="true")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["items"], found["failing"], found["bytes"]) == (6, 3, 12)
    assert found["classes"] == [{"label": "cat", "items": 2}, {"label": "dog", "items": 1}]
    assert [(one["item"], one["error"]["code"]) for one in found["problems"]] == [
        (3, "member_invalid"), (4, "member_invalid"), (5, "label_missing")
    ]  # fmt: skip
    assert uploads(settings) == []
    assert local.get("/v1/jobs").json()["items"] == []


def test_dry_run_that_takes_long_says_how_far_it_came(
    local: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post(local, make_zip(GOOD), dry_run="true").json()["complete"] is True
    monkeypatch.setattr("api.dry_run.DRY_RUN_S", -1.0)
    found = post(local, make_zip(GOOD), dry_run="true").json()
    assert (found["complete"], found["items"]) == (False, 1)
    assert post(local, make_zip(dict([next(iter(GOOD.items()))])), dry_run="true").json()["complete"] is True


def test_dry_run_of_nothing_usable_says_so_too(local: httpx.Client) -> None:
    found = post(local, b"no zip", dry_run="true").json()
    assert (found["items"], found["failing"]) == (1, 1)
    assert found["problems"][0]["error"]["code"] == "archive_unreadable"


@pytest.fixture
def rooted(settings: Settings, store: Store, tmp_path: Path) -> Iterator[httpx.Client]:
    root = tmp_path / "photos"
    for name, content in GOOD.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    chosen = settings.model_copy(
        update={"roots": (str(root),), "bulk_max_bytes": 1000, "max_body_bytes": 500}
    )
    transport = httpx.WSGITransport(app=create_app(chosen, store, needs_key=False))
    with httpx.Client(transport=transport, base_url="http://localhost") as client:
        client.event_hooks = {"response": [Contract(client.get("/openapi.json").json()).check]}
        yield client


def test_folder_of_the_server_is_taken_under_its_roots(rooted: httpx.Client, tmp_path: Path) -> None:
    for folder in (str(tmp_path / "photos"), "cat", "."):
        assert rooted.post(PATH, params={"kind": "enroll"}, json={"folder": folder}).status_code == 202
    for folder in ("/", "..", str(tmp_path), "cat/../..", "cat/1.jpg", "cat\0"):
        answer = rooted.post(PATH, params={"kind": "enroll"}, json={"folder": folder})
        assert answer.json()["code"] == "path_not_allowed", folder


def test_body_that_is_too_large_is_refused_as_it_comes(rooted: httpx.Client, settings: Settings) -> None:
    body = make_zip({"cat/1.jpg": os.urandom(2000)})
    answer = post(rooted, body)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    parts = {"archive": ("a.zip", body)}
    answer = rooted.post(PATH, params={"kind": "classify"}, files=parts)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    many = json.dumps({"urls": ["https://example.org/1.jpg"] * 50}).encode()
    assert post(rooted, many, "application/json").json()["code"] == "body_too_large"
    assert uploads(settings) == []


def test_enrolling_needs_the_scope_to_enrol(local: httpx.Client, store: Store) -> None:
    asks = {"Authorization": f"Bearer {store.keys.create('a', [Scope.CLASSIFY])}"}
    both = {"Authorization": f"Bearer {store.keys.create('b', [Scope.CLASSIFY, Scope.ENROLL])}"}
    assert post(local, make_zip(GOOD)).json()["code"] == "key_missing"
    assert post(local, make_zip(GOOD), headers=asks).status_code == 202
    assert post(local, make_zip(GOOD), headers=asks, kind="enroll").json()["code"] == "key_scope_missing"
    assert post(local, make_zip(GOOD), headers=both, kind="enroll").status_code == 202


def test_collection_must_be_there(local: httpx.Client) -> None:
    answer = local.post("/v1/collections/nothing/bulk", params={"kind": "classify"}, content=make_zip(GOOD))
    assert answer.json()["code"] == "collection_not_found"


@pytest.mark.parametrize("code", ["queue_full", "record_unavailable"])
def test_upload_is_kept_only_where_its_job_may_stand_in_the_record(
    local: httpx.Client, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    def refuse(*_: object) -> None:
        raise ExemplarError(code, "try again later", retry=True)

    monkeypatch.setattr(Jobs, "submit", refuse)
    kept = [1] if code == "record_unavailable" else []
    assert post(local, make_zip(GOOD)).json()["code"] == code
    assert [1 for _ in uploads(settings)] == kept
    asked = local.post("/v1/collections/things/classify", content=b"x", headers={"Content-Type": "image/png"})
    assert asked.json()["code"] == code
    assert [1 for _ in uploads(settings)] == kept * 2


def test_full_queue_is_reported_before_the_body_is_read(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(store, jobs=Jobs(store.database, chunk_items=64, max_queued_items=100, max_sources=1))
    transport = httpx.WSGITransport(app=create_app(settings, small, needs_key=False))
    key = {"Idempotency-Key": "k"}
    with httpx.Client(transport=transport, base_url="http://localhost") as http:
        first = post(http, make_zip(GOOD), headers=key)
        assert first.status_code == 202
        taken: list[int] = []
        real = Blobs.put_stream

        def take(*arguments: Any) -> str:
            taken.append(1)
            return real(*arguments)

        monkeypatch.setattr(Blobs, "put_stream", take)
        refused = post(http, make_zip(GOOD))
        assert (refused.status_code, refused.json()["code"], taken) == (429, "queue_full", [])
        assert post(http, make_zip(GOOD), headers=key).json()["id"] == first.json()["id"]
        assert post(http, make_zip(GOOD), dry_run="true").status_code == 200
    assert len(uploads(settings)) == 1


def test_smoothing_is_asked_for_and_shown(local: httpx.Client, store: Store) -> None:
    plain, smoothed = post(local, make_zip(GOOD)).json(), post(local, make_zip(GOOD), smooth="true").json()
    assert (plain["smooth"], plain["note"]) == (False, None)
    assert (smoothed["smooth"], smoothed["note"]) == (True, None)
    assert local.get(smoothed["links"]["self"]).json()["smooth"] is True
    assert local.get(smoothed["links"]["summary"]).json()["note"] is None
    assert store.jobs.get(smoothed["id"]).smooth


def test_smoothing_is_for_classify_alone(local: httpx.Client, settings: Settings) -> None:
    refused = post(local, make_zip(GOOD), kind="enroll", smooth="true")
    assert (refused.status_code, refused.json()["code"]) == (422, "smooth_invalid")
    for kind, path in (("search", PATH), ("classify", "/v1/collections/things/classify")):
        refused = local.post(
            path,
            params={"kind": kind, "smooth": "true"} if path == PATH else {"smooth": "true"},
            content=b"",
            headers={"Content-Type": "application/zip"},
        )
        assert (refused.status_code, refused.json()["code"]) == (422, "request_invalid")
    assert uploads(settings) == []


def test_more_items_than_are_smoothed_are_refused_where_they_are_counted(
    settings: Settings, store: Store
) -> None:
    limited = settings.model_copy(update={"smooth_max_items": 1})
    transport = httpx.WSGITransport(app=create_app(limited, store, needs_key=False))
    urls = json.dumps({"urls": ["https://example.org/1.jpg", "https://example.org/2.jpg"]}).encode()
    with httpx.Client(transport=transport, base_url="http://localhost") as http:
        for body, media_type, query in (
            (urls, "application/json", {}),
            (make_zip(GOOD), "application/zip", {"dry_run": "true"}),
        ):
            refused = post(http, body, media_type, smooth="true", **query)
            assert (refused.status_code, refused.json()["code"]) == (422, "smooth_invalid")
            assert "at most 1 items, got 2" in refused.json()["detail"]
            assert post(http, body, media_type, **query).status_code in (200, 202)
    assert len(uploads(settings)) == 1


def test_key_stands_for_a_request_with_its_smoothing(local: httpx.Client) -> None:
    key = {"Idempotency-Key": "k"}
    first = post(local, make_zip(GOOD), headers=key, smooth="true")
    assert post(local, make_zip(GOOD), headers=key, smooth="true").json()["id"] == first.json()["id"]
    other = post(local, make_zip(GOOD), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
