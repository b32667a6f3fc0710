"""Outputs of jobs over HTTP: results in every form, counts, events, control and webhooks."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from calls import files
from enrolling import ask, claim
from picture_files import encode
from PIL import Image
from receiving import SECRET
from tiny import DEFAULT

from api.app import create_app
from core.jobs import Chunk, Lane
from core.settings import Settings
from formats.csv import COLUMNS
from formats.parquet import GROUP_ROWS, SCHEMA, parquet_parts
from store.store import Store
from store.work.settlement import Settlement

PARQUET = "application/vnd.apache.parquet"


def answer(index: int, failing: bool) -> dict[str, Any]:
    if failing:
        problem = {"type": "t", "title": "t", "code": "picture_bomb", "detail": "=cmd()", "retry": False}
        return {"item": index, "custom_id": None, "status": "failed", "error": problem}
    return {
        "item": index,
        "custom_id": f"+{index}",
        "status": "done",
        "decision": "known",
        "label": f"class {index % 3}",
        "confidence": 0.5,
        "candidates": [{"label": f"class {index % 3}", "probability": 0.5}],
        "neighbours": [{"support_id": 7, "label": "class 0", "similarity": 0.25}],
        "index_version": 3,
        "encoder": DEFAULT,
    }


def finish(store: Store, chunk: Chunk, failing: tuple[int, ...] = ()) -> None:
    results = [answer(item.index, item.index in failing) for item in chunk.items]
    assert store.chunks.settle("w:1", [Settlement(chunk, results)]) == [True]


@pytest.fixture
def job(things: Store) -> str:
    """A finished job of 150 items in three chunks, two of them failed."""
    job = ask(things, 150, lane=Lane.BULK)
    for chunk in claim(things, items=1000):
        finish(things, chunk, failing=(3, 140))
    return job


def lines_of(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200
    return [json.loads(line) for line in response.text.splitlines()]


def get(local: httpx.Client, job: str, accept: str, cursor: str | None = None) -> httpx.Response:
    params = {} if cursor is None else {"cursor": cursor}
    return local.get(f"/v1/jobs/{job}/results", params=params, headers={"Accept": accept})


def test_complete_job_comes_in_every_form(local: httpx.Client, job: str) -> None:
    lines = lines_of(get(local, job, "application/x-ndjson"))
    rows = list(csv.DictReader(io.StringIO(get(local, job, "text/csv").text)))
    table = pq.read_table(io.BytesIO(get(local, job, PARQUET).content)).to_pylist()
    assert [line["item"] for line in lines] == list(range(150))
    assert [int(row["item"]) for row in rows] == [row["item"] for row in table] == list(range(150))
    assert (lines[3]["error"]["code"], rows[3]["error_code"], table[3]["error_code"]) == ("picture_bomb",) * 3
    assert (rows[3]["error_detail"], table[3]["error_detail"]) == ("'=cmd()", "=cmd()")
    assert (rows[4]["custom_id"], table[4]["custom_id"]) == ("'+4", "+4")
    assert table[4]["candidates"] == [{"label": "class 1", "probability": 0.5}]
    assert table[4]["neighbours"] == [
        {"support_id": 7, "label": "class 0", "labels": None, "similarity": 0.25}
    ]
    assert table[3]["neighbours"] is None


def test_forms_are_files_with_a_name(local: httpx.Client, job: str) -> None:
    for accept, suffix in (("application/x-ndjson", "jsonl"), ("text/csv", "csv"), (PARQUET, "parquet")):
        named = get(local, job, accept).headers["content-disposition"]
        assert named == f'attachment; filename="{job}.{suffix}"'


def test_stream_of_a_running_job_resumes_where_it_ended(local: httpx.Client, things: Store) -> None:
    job = ask(things, 192, lane=Lane.BULK)
    chunks = claim(things, items=1000)
    seen: list[int] = []
    url: str | None = f"/v1/jobs/{job}/results"
    steps = 0
    while url is not None:
        response = local.get(url, headers={"Accept": "application/x-ndjson"})
        seen += [line["item"] for line in lines_of(response)]
        url = response.links.get("next", {}).get("url")
        if steps < 3:
            finish(
                things, chunks[(1, 0, 2)[steps]]
            )  # the second before the first: the stream waits for the gap
        steps += 1
    assert seen == list(range(192))
    assert steps == 4


def test_parquet_from_a_cursor_holds_the_rest(local: httpx.Client, job: str) -> None:
    page = local.get(f"/v1/jobs/{job}/results", params={"limit": 100}).json()
    rest = get(local, job, PARQUET, page["next_cursor"])
    assert pq.read_table(io.BytesIO(rest.content)).column("item").to_pylist() == list(range(100, 150))


def test_job_without_results_gives_an_empty_file(local: httpx.Client, things: Store) -> None:
    job = ask(things, 2)
    table = pq.read_table(io.BytesIO(get(local, job, PARQUET).content))
    assert (table.num_rows, table.schema) == (0, SCHEMA)
    assert get(local, job, "text/csv").text.strip() == ",".join(COLUMNS)
    assert get(local, job, "application/x-ndjson").text == ""


def test_parquet_is_written_by_groups_of_rows() -> None:
    parts = list(parquet_parts(answer(n, n % 7 == 0) for n in range(2 * GROUP_ROWS + 5)))
    assert len(parts) == 4  # three row groups and the footer: at most one group is in memory
    file = pq.ParquetFile(io.BytesIO(b"".join(parts)))
    assert [file.metadata.row_group(n).num_rows for n in range(3)] == [GROUP_ROWS, GROUP_ROWS, 5]
    assert SCHEMA.names[: len(COLUMNS)] == list(COLUMNS)


def test_long_answers_have_places_of_their_own(
    settings: Settings, things: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.jobs.SMALL", 100)
    job = ask(things, 150, lane=Lane.BULK)
    for chunk in claim(things, items=1000):
        finish(things, chunk)
    few = settings.model_copy(update={"http_threads": 4})
    app = create_app(few, things, needs_key=False)
    url, accept = f"/v1/jobs/{job}/results", {"Accept": "text/csv"}
    first = app.test_client().get(url, headers=accept, buffered=False)
    second = app.test_client().get(url, headers=accept)
    assert (second.status_code, second.json["code"]) == (503, "streams_full")
    assert int(second.headers["Retry-After"]) > 0
    first.close()  # the client disconnects
    assert app.test_client().get(url, headers=accept).status_code == 200


def test_summary_counts_labels_decisions_and_errors(local: httpx.Client, job: str) -> None:
    found = local.get(f"/v1/jobs/{job}/summary").json()
    assert (found["state"], found["total"], found["done"], found["failed"]) == ("partial", 150, 148, 2)
    assert found["labels"] == {"class 0": 49, "class 1": 50, "class 2": 49}
    assert found["decisions"] == {"known": 148}
    assert found["errors"] == {"picture_bomb": 2}
    assert list(found["labels"]) == ["class 1", "class 0", "class 2"]


def test_job_names_where_all_of_it_is(local: httpx.Client, job: str) -> None:
    links = local.get(f"/v1/jobs/{job}").json()["links"]
    for name in ("self", "results", "summary", "deliveries"):
        assert local.get(links[name]).status_code == 200


def test_job_is_held_and_let_go_on(local: httpx.Client, things: Store) -> None:
    job = ask(things, 2)
    assert local.post(f"/v1/jobs/{job}/pause").json()["state"] == "paused"
    assert local.get(f"/v1/jobs/{job}").json()["state"] == "paused"
    assert local.post(f"/v1/jobs/{job}/resume").json()["state"] == "queued"


def test_failed_items_are_tried_again(local: httpx.Client, things: Store, job: str) -> None:
    again = local.post(f"/v1/jobs/{job}/retry").json()
    assert (again["state"], again["progress"]["done"], again["progress"]["failed"]) == ("queued", 148, 0)
    for chunk in claim(things):
        finish(things, chunk)
    assert local.get(f"/v1/jobs/{job}").json()["state"] == "succeeded"
    assert local.get(f"/v1/jobs/{job}/summary").json()["errors"] == {}


def test_moves_that_make_no_sense_are_conflicts(local: httpx.Client, things: Store, job: str) -> None:
    for call in ("pause", "resume"):
        refused = local.post(f"/v1/jobs/{job}/{call}")
        assert (refused.status_code, refused.json()["code"]) == (409, "job_state_invalid")
    waiting = ask(things, 1)
    refused = local.post(f"/v1/jobs/{waiting}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "job_state_invalid")
    assert "queued" in refused.json()["detail"]
    for call in ("pause", "resume", "retry", "cancel"):
        assert local.post(f"/v1/jobs/nothing/{call}").json()["code"] == "job_not_found"


def events_of(response: httpx.Response) -> list[dict[str, str]]:
    blocks = [block for block in response.text.split("\n\n") if block.startswith("id:")]
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


def test_ended_job_has_one_event_and_then_none(local: httpx.Client, job: str) -> None:
    response = local.get(f"/v1/jobs/{job}/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.startswith("retry: ")
    [event] = events_of(response)
    assert event["event"] == "end"
    assert json.loads(event["data"])["state"] == "partial"
    again = local.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": event["id"]})
    assert again.status_code == 204  # a browser then does not reconnect


def test_reader_that_comes_back_hears_only_what_is_new(local: httpx.Client, job: str) -> None:
    [event] = events_of(local.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": "running.1.0.150"}))
    assert event["event"] == "end"


def test_events_of_a_missing_job_are_not_found(local: httpx.Client) -> None:
    assert local.get("/v1/jobs/nothing/events").json()["code"] == "job_not_found"


def test_removed_job_ends_its_events(
    settings: Settings, things: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.events.POLL_S", 0.01)
    monkeypatch.setattr("api.events.KEEP_ALIVE_S", 0.05)
    job = ask(things, 1)
    app = create_app(settings, things, needs_key=False)
    response = app.test_client().get(f"/v1/jobs/{job}/events", buffered=False)
    parts = response.iter_encoded()
    heard = b""
    while b": still here" not in heard:
        heard += next(parts)
    assert heard.count(b"event: progress") == 1
    things.jobs.remove([job])
    assert b"event" not in b"".join(parts)
    response.close()


def picture() -> bytes:
    return encode(Image.new("RGB", (8, 8), "red"))


def test_webhooks_are_off_unless_the_operator_enables_them(local: httpx.Client, things: Store) -> None:
    for call in ("enroll", "classify", "search", "bulk"):
        params = {"webhook": "https://example.com/"} | ({"kind": "classify"} if call == "bulk" else {})
        refused = local.post(f"/v1/collections/things/{call}", params=params, files=files(picture()))
        assert (refused.status_code, refused.json()["code"]) == (422, "webhooks_off")


def test_webhook_is_kept_with_its_job(settings: Settings, things: Store) -> None:
    on = Settings.model_validate(
        settings.model_dump() | {"webhooks": ("*.example.com",), "webhook_secret": SECRET}
    )
    client = create_app(on, things, needs_key=False).test_client()

    def post(webhook: str, **headers: str) -> Any:
        return client.post(
            "/v1/collections/things/classify",
            query_string={"webhook": webhook},
            data=picture(),
            headers={"Content-Type": "image/png", **headers},
        )

    for webhook, code in (
        ("https://example.org/", "target_not_allowed"),
        ("http://a.example.com/", "target_invalid"),
        ("https://user:secret@a.example.com/", "target_invalid"),
    ):
        refused = post(webhook)
        assert (refused.status_code, refused.json["code"]) == (422, code)
    key = {"Idempotency-Key": "one"}
    taken = post("https://a.example.com/hook?token=secret", **key)
    assert taken.status_code == 202
    assert "secret" not in taken.text
    job = taken.json["id"]
    assert post("https://b.example.com/", **key).json["code"] == "idempotency_conflict"
    things.control.cancel(job)
    things.deliveries.announce()
    [delivery] = client.get(f"/v1/jobs/{job}/deliveries").json["items"]
    assert (delivery["url"], delivery["state"]) == ("https://a.example.com/...", "waiting")
    assert delivery["attempts"] == []
