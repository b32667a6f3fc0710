"""Erasure: afterwards nothing in the record or among the files tells what was erased, on both databases."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from picture_files import encode
from PIL import Image
from sqlalchemy import func, select
from tiny import DEFAULT
from working import ToyEncoder, tools_with

from api.app import create_app
from core.collections import Rule
from core.jobs import ErasureState, Item, JobKind, JobRequest, JobState, Lane
from core.settings import Settings
from core.vectors import pack_vector
from store import tables as t
from store.blobs import PICTURES, digest_of, uploads_of
from store.checks.work import examine_work
from store.erasure.erasures import Erasure
from store.erasure.targets import Wanted
from store.store import Store
from store.tables import metadata
from store.work.jobs import new_job_id
from store.work.submission import Idempotency
from worker.erasing import Eraser
from worker.pipeline import run_pipeline
from worker.smoothing_loop import SmoothingLoop
from worker.tools import Tools

pytestmark = pytest.mark.slow

WHO = "camera-7/é.png"
GREY = 58
DARK, LIGHT = (55, 56, 57, GREY, 60), (180, 181, 182)


@pytest.fixture
def tools(settings: Settings, store: Store) -> Iterator[Tools]:
    store.collections.create("things", DEFAULT, Rule(false_reject=0.0))
    store.jobs._limits = replace(store.jobs._limits, chunk_items=3)
    with tools_with(settings, store, ToyEncoder()) as tools:
        for label, greys in (("dark", DARK), ("light", LIGHT)):
            enrol(tools, label, greys)
        yield tools


@pytest.fixture
def eraser(tools: Tools, settings: Settings) -> Eraser:
    return Eraser(tools.store, settings, "w:1", tools.replicas, tools.past)


@pytest.fixture
def local(settings: Settings, tools: Tools) -> Iterator[httpx.Client]:
    app = create_app(settings, tools.store, needs_key=False)
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as client:
        yield client


@cache
def picture(grey: int) -> bytes:
    return encode(Image.new("L", (8, 8), grey))


def known_as(grey: int) -> str:
    return WHO if grey == GREY else f"p{grey}"


def work(tools: Tools) -> None:
    while run_pipeline(tools, DEFAULT):
        pass


def enrol(tools: Tools, label: str, greys: Sequence[int], collection: str = "things") -> str:
    store, job = tools.store, new_job_id()
    items = [
        Item(
            n, store.blobs.put(PICTURES, picture(grey)), label, custom_id=known_as(grey),
            external_id=known_as(grey), metadata={"of": known_as(grey)},
        )
        for n, grey in enumerate(greys)
    ]  # fmt: skip
    key = Idempotency(f"local:{job}", digest_of(picture(greys[0])))
    store.jobs.submit(job, JobRequest(collection, JobKind.ENROLL, Lane.BULK, items), key)
    work(tools)
    return job


def ask(
    tools: Tools,
    greys: Sequence[int],
    kind: JobKind = JobKind.CLASSIFY,
    *,
    smooth: bool = False,
    packed: bool = False,
    run: bool = True,
) -> str:
    store, job = tools.store, new_job_id()
    folder = uploads_of(job)
    if packed:
        contents = [picture(grey) for grey in greys]
        name = store.blobs.put(folder, b"".join(contents))
        ends = np.cumsum([len(content) for content in contents]).tolist()
        items = [
            Item(n, custom_id=known_as(grey), place=f"pack:{name}:{end - len(content)}:{len(content)}")
            for n, (grey, content, end) in enumerate(zip(greys, contents, ends, strict=True))
        ]
    else:
        items = [
            Item(n, store.blobs.put(folder, picture(grey)), custom_id=known_as(grey))
            for n, grey in enumerate(greys)
        ]
    store.jobs.submit(job, JobRequest("things", kind, Lane.BULK, items, 5, smooth=smooth))
    if run:
        work(tools)
    return job


def results(tools: Tools, job: str) -> list[Mapping[str, Any]]:
    return list(tools.store.jobs.results(job, limit=100).results)


def support_of(tools: Tools, grey: int) -> int:
    [one] = [one for one in tools.store.supports.page("things") if one.external_id == known_as(grey)]
    return one.id


def erase(tools: Tools, eraser: Eraser, wanted: Wanted, names: Sequence[str] | None = ("things",)) -> Erasure:
    begun = tools.store.erasures.begin(wanted, names, key_id="k", request_id="r")
    while eraser.round():
        pass
    return tools.store.erasures.get(begun.id)


@cache
def traces() -> list[bytes]:
    """What must not be found any more: the picture, its digest, its id and its vector."""
    angle = GREY / 255
    vector = np.array([np.cos(angle), np.sin(angle)], np.float32)
    return [
        picture(GREY)[40:],
        digest_of(picture(GREY)).encode(),
        WHO.encode(),
        json.dumps(WHO)[1:-1].encode(),
        pack_vector(vector),
        vector.astype("<f2").tobytes(),
    ]


def found_in_record(store: Store) -> list[str]:
    """Return the columns of the record with a trace."""
    found = []
    with store.database.read() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                for name, value in row.items():
                    content = value if isinstance(value, bytes) else json.dumps(value, default=str).encode()
                    if table is t.past_results and name == "results":
                        content = zlib.decompress(value)
                    if any(trace in content for trace in traces()):
                        found.append(f"{table.name}.{name}")
    return sorted(set(found))


def found_in_files(folder: Path) -> list[str]:
    """Return the files below a folder with a trace in their name or content; the record is not one."""
    return sorted(
        str(path)
        for path in folder.rglob("*")
        if path.is_file()
        and any(trace in path.read_bytes() or trace in path.name.encode() for trace in traces())
    )


def a_life(tools: Tools, settings: Settings, local: httpx.Client) -> dict[str, str]:
    """Use the collection in every way that leaves something of a picture; return jobs by name."""
    store = tools.store
    jobs = {
        "plain": ask(tools, [*DARK, *LIGHT]),
        "packed": ask(tools, [*DARK, *LIGHT], packed=True),
        "smoothed": ask(tools, [*DARK, *LIGHT], smooth=True),
        "search": ask(tools, [60, GREY], JobKind.SEARCH),
        "again": enrol(tools, "dark", [GREY]),
    }
    assert SmoothingLoop(store, settings, "w:2").round()
    enrol(tools, "middling", [100, 101, 102])
    again = local.post(f"/v1/jobs/{jobs['plain']}/redecide", json={})
    assert again.status_code == 202, again.text
    jobs["redecide"] = again.json()["id"]
    work(tools)
    assert local.patch(f"/v1/jobs/{jobs['plain']}/items/3", json={"accepted": True}).status_code == 200
    assert local.get("/v1/collections/things/report", headers={"Prefer": "wait=0"}).status_code == 202
    work(tools)
    jobs["waiting"] = ask(tools, [GREY, 60], run=False)
    tools.replicas.save_all()
    return jobs


WANTED = {
    "external_id": lambda tools: Wanted(external_id=WHO),
    "support": lambda tools: Wanted(support_ids=(support_of(tools, GREY),)),
}


def test_nothing_of_an_external_id_is_left(
    tools: Tools, settings: Settings, local: httpx.Client, eraser: Eraser
) -> None:
    jobs = a_life(tools, settings, local)
    store = tools.store
    support = support_of(tools, GREY)
    blobs, snapshots = settings.data / "blobs", settings.snapshot_folder
    before = found_in_record(store)
    assert {"support.vector", "chunk.inputs", "chunk.results", "item_vectors.vectors"} <= set(before)
    assert found_in_files(blobs) and found_in_files(snapshots)

    receipt = erase(tools, eraser, Wanted(external_id=WHO))
    assert (receipt.state, receipt.kind, receipt.is_complete) == (ErasureState.DONE, "external_id", True)
    assert receipt.counts["supports"] == receipt.counts["pictures"] == receipt.counts["reviews"] == 1
    assert receipt.counts["items"] >= 7 and receipt.counts["shown"] > 0
    assert found_in_record(store) == []
    assert found_in_files(blobs) == []
    assert found_in_files(snapshots) == []
    for job in jobs.values():
        said = json.dumps(results(tools, job))
        assert f'"support_id": {support},' not in said
    with store.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(t.erased)).scalar() == 0
    assert list(examine_work(store)) == [], "counts are those of the results"
    work(tools)
    waited = results(tools, jobs["waiting"])
    assert [one["status"] for one in waited] == ["failed", "done"]
    assert waited[0]["error"]["code"] == "picture_erased"


def test_orders_of_results_forget_the_name(
    tools: Tools, settings: Settings, local: httpx.Client, eraser: Eraser
) -> None:
    job = ask(tools, [*DARK, *LIGHT])
    named = f"/v1/jobs/{job}/results?order=name&path=camera"
    assert [one["item"] for one in local.get(named).json()["items"]] == [3]
    erase(tools, eraser, Wanted(external_id=WHO))
    assert local.get(named).json()["items"] == []


def test_deleted_supports_and_what_they_were_are_erased_too(tools: Tools, eraser: Eraser) -> None:
    store, support = tools.store, support_of(tools, GREY)
    store.supports.move("things", support, "grey")
    store.supports.delete("things", support)
    assert "support.vector" in found_in_record(store), "it may still be restored"
    receipt = erase(tools, eraser, Wanted(label="grey"))
    assert receipt.counts["supports"] == 1
    with store.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(t.support_past)).scalar() == 0
    assert not {"support.vector", "support.picture"} & set(found_in_record(store))


def test_contributions_are_erased_too(tools: Tools, eraser: Eraser) -> None:
    store, job = tools.store, new_job_id()
    item = Item(0, store.blobs.put(PICTURES, picture(GREY)), "dark", external_id=WHO)
    options = {"quarantine": "ann"}
    store.jobs.submit(job, JobRequest("things", JobKind.ENROLL, Lane.BULK, [item], options=options))
    work(tools)
    with store.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(t.quarantine)).scalar() == 1
    assert erase(tools, eraser, Wanted(external_id=WHO)).is_complete
    assert found_in_record(store) == []


def test_id_that_a_support_had_earlier_is_erased_from_answers(
    tools: Tools, local: httpx.Client, eraser: Eraser
) -> None:
    job = ask(tools, [60])
    here = f"/v1/collections/things/supports/{support_of(tools, GREY)}"
    answer = local.patch(here, json={"external_id": "other"})
    assert answer.status_code == 200, answer.text
    erase(tools, eraser, Wanted(external_id=WHO))
    said = json.dumps(results(tools, job))
    assert json.dumps(WHO) not in said and '"support_id"' in said


def test_findings_about_other_pictures_no_longer_name_it(tools: Tools, eraser: Eraser) -> None:
    support = support_of(tools, GREY)
    job = enrol(tools, "other", [61])
    [result] = results(tools, job)
    near = {"code": "near_duplicate_of_other_class", "value": 0.1, "limit": 0.6, "support_id": support}
    with tools.store.database.write() as connection:
        shown = [{**result, "findings": [near, {"code": "blurred", "value": 0.1, "limit": 0.5}]}]
        connection.execute(t.chunk.update().where(t.chunk.c.job_id == job).values(results=shown))
    erase(tools, eraser, Wanted(external_id=WHO))
    assert [one["code"] for one in results(tools, job)[0]["findings"]] == ["blurred"]


def test_rest_of_the_answers_stays(
    tools: Tools, settings: Settings, local: httpx.Client, eraser: Eraser
) -> None:
    jobs = a_life(tools, settings, local)
    kept = {name: results(tools, job) for name, job in jobs.items()}
    erase(tools, eraser, Wanted(external_id=WHO))
    for name, job in jobs.items():
        after = results(tools, job)
        assert len(after) == len(kept[name])
        for was, now in zip(kept[name], after, strict=True):
            if now["status"] == "failed":
                assert was["custom_id"] == WHO or name == "redecide"
                assert now["custom_id"] is None
            else:
                same = {"label", "decision", "confidence", "custom_id"} & was.keys()
                assert {field: was[field] for field in same} == {field: now[field] for field in same}
    job = tools.store.jobs.get(jobs["plain"])
    assert (job.state, job.done, job.failed) == (JobState.SUCCEEDED, 7, 1)
    assert tools.store.jobs.tally(job.id)["errors"] == {"picture_erased": 1}
    assert tools.store.jobs.tally(job.id, 1)["labels"] == {"dark": 4, "light": 3}


def test_picture_that_another_support_has_stays_and_the_receipt_says_so(tools: Tools, eraser: Eraser) -> None:
    store = tools.store
    enrol(tools, "other", [GREY])
    first, other = (one for one in store.supports.page("things") if one.external_id == WHO)
    receipt = erase(tools, eraser, Wanted(support_ids=(first.id,)))
    digest = digest_of(picture(GREY))
    assert (receipt.elsewhere, receipt.is_complete) == ([digest], False)
    assert store.blobs.get(PICTURES, digest) == picture(GREY)
    assert store.supports.get("things", other.id).picture == digest


def test_class_is_erased_with_its_supports_in_several_transactions(
    tools: Tools, eraser: Eraser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.erasure.phases.SUPPORTS_AT_ONCE", 2)
    receipt = erase(tools, eraser, Wanted(label="dark"))
    assert (receipt.counts["supports"], receipt.kind) == (len(DARK), "label")
    assert [class_.label for class_ in tools.store.classes.page("things")] == ["light"]
    assert {one.label for one in tools.store.supports.page("things")} == {"light"}
    assert found_in_record(tools.store) == []


def test_id_of_several_collections_is_erased_from_those_the_key_may_reach(
    tools: Tools, eraser: Eraser
) -> None:
    for name in ("second", "third"):
        tools.store.collections.create(name, DEFAULT, Rule())
        enrol(tools, "dark", [GREY, 60], name)
    receipt = erase(tools, eraser, Wanted(external_id=WHO), ("second", "things"))
    assert receipt.counts["supports"] == 2
    assert receipt.elsewhere == [digest_of(picture(GREY))]
    assert tools.store.collections.get("third").supports == 2
    receipt = erase(tools, eraser, Wanted(external_id=WHO), None)
    assert (receipt.counts["supports"], receipt.is_complete) == (1, True)
    assert found_in_record(tools.store) == []


def test_answers_no_longer_name_it_at_once(tools: Tools, eraser: Eraser) -> None:
    support = support_of(tools, GREY)
    assert support in {one["support_id"] for one in results(tools, ask(tools, [GREY]))[0]["neighbours"]}
    erase(tools, eraser, Wanted(external_id=WHO))
    [answer] = results(tools, ask(tools, [GREY]))
    assert support not in {one["support_id"] for one in answer["neighbours"]}


class Killed(BaseException):
    """A worker dies."""


@pytest.mark.parametrize("dies_after", [0, 3])
def test_another_worker_finishes_what_killed_ones_began(
    tools: Tools, settings: Settings, local: httpx.Client, monkeypatch: pytest.MonkeyPatch, dies_after: int
) -> None:
    from store.erasure import held as holding
    from store.erasure import phases

    monkeypatch.setattr(phases, "CHUNKS_AT_ONCE", 2)
    a_life(tools, settings, local)
    left, step = 0, holding.Held.step

    def dies(held: holding.Held) -> Any:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        return step(held)

    def worker(number: int) -> Eraser:
        return Eraser(tools.store, settings, f"w:{number}", tools.replicas, tools.past)

    monkeypatch.setattr(holding.Held, "step", dies)
    begun = tools.store.erasures.begin(Wanted(external_id=WHO), ["things"], key_id="k", request_id=None)
    killed = 0
    while True:
        left = 7 if killed else dies_after
        with suppress(Killed):
            worker(killed).round()
            break
        killed += 1
        assert killed < 30, "it never ends"
        assert tools.store.erasures.get(begun.id).state is ErasureState.RUNNING
        assert not worker(-1).round(), "the lease still runs"
        tools.store.erasures.expire_leases("w")
    assert killed >= 5
    assert tools.store.erasures.get(begun.id).is_complete
    assert found_in_record(tools.store) == []
    assert found_in_files(settings.data / "blobs") == []


def test_chunk_that_is_being_answered_is_waited_for(
    tools: Tools, eraser: Eraser, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, support = tools.store, support_of(tools, GREY)
    ask(tools, [60], run=False)
    [chunk] = store.chunks.claim("x:1", DEFAULT, list(Lane), 10)
    begun = store.erasures.begin(Wanted(external_id=WHO), ["things"], key_id="k", request_id=None)
    pauses = []

    def settles(_: float) -> None:
        pauses.append(store.erasures.get(begun.id).state)
        from store.work.settlement import Settlement

        shown = {"support_id": support, "label": "dark", "similarity": 1.0}
        answer = {"item": 0, "custom_id": "p60", "status": "done", "neighbours": [shown]}
        assert store.chunks.settle("x:1", [Settlement(chunk, [answer])]) == [True]

    monkeypatch.setattr(eraser._loop, "pause", settles)
    assert eraser.round()
    assert pauses == [ErasureState.RUNNING]
    assert store.erasures.get(begun.id).is_complete
    assert results(tools, chunk.job_id)[0]["neighbours"] == []


def test_dry_run_counts_and_changes_nothing(tools: Tools, local: httpx.Client) -> None:
    ask(tools, [GREY, 60])
    before = found_in_record(tools.store)
    said = local.post("/v1/collections/things/erase", json={"external_id": WHO, "dry_run": True})
    assert said.status_code == 202, said.text
    counts = said.json()["counts"]
    assert (counts["supports"], counts["pictures"], counts["items"]) == (1, 1, 2)
    assert found_in_record(tools.store) == before
    assert local.get("/v1/erasures").json()["items"] == []


def test_receipts_are_listed_and_name_nobody(tools: Tools, local: httpx.Client, eraser: Eraser) -> None:
    headers = {"Prefer": "wait=0", "X-Request-Id": "asked-1"}
    made = local.post("/v1/erase", json={"external_id": WHO}, headers=headers)
    assert made.status_code == 202, made.text
    assert (made.json()["state"], made.json()["complete"]) == ("running", False)
    while eraser.round():
        pass
    shown = local.get(made.headers["Location"]).json()
    assert (shown["state"], shown["complete"], shown["request_id"]) == ("done", True, "asked-1")
    assert (shown["by"], shown["collections"]) == ("local", None)
    listed = local.get("/v1/erasures").json()["items"]
    assert listed == [shown]
    assert not any(trace in json.dumps(listed).encode() for trace in traces())


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"support_ids": [999]}, 404, "support_not_found"),
        ({"label": "nothing"}, 404, "class_not_found"),
        ({}, 422, "request_invalid"),
        ({"support_ids": [1], "label": "dark"}, 422, "request_invalid"),
    ],
)
def test_what_is_not_there_is_refused(
    local: httpx.Client, body: dict[str, Any], status: int, code: str
) -> None:
    answer = local.post("/v1/collections/things/erase", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
