"""The index of a collection, from the request to the answer, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from enrolling import enroll_labels
from tiny import DEFAULT
from working import ToyEncoder, submit, tools_with

from cli.collections import create
from core.collections import Index, IndexMeasure, IndexName, Rule
from core.errors import ExemplarError
from core.jobs import JobKind
from core.settings import Settings
from index import training
from index.milvus import Milvus
from index.replicas import Replicas
from store.record import feed
from store.store import Store
from worker.pipeline import run_pipeline

Digits = Callable[[int, int], bytes]
MEASURE = IndexMeasure(IndexName.IVF, 0.97, 256, 30_000, 30_000, 5.0)


def test_collection_has_the_index_it_was_made_with_until_that_is_changed(store: Store) -> None:
    index = Index(IndexName.IVF, probes=8)
    made = store.collections.create("things", DEFAULT, Rule(), index=index)
    assert (made.index, made.index_measured) == (index, None)
    store.collections.note_measure(made.id, MEASURE)
    same = store.collections.change("things", {}, index=index)
    assert (same.index_measured, same.version) == (MEASURE, 0)
    assert store.collections.change("things", {"certainty": 0.7}).index == index
    changed = store.collections.change("things", {}, index=Index(IndexName.MILVUS))
    assert (changed.index, changed.index_measured) == (Index(IndexName.MILVUS), None)


def test_measure_of_an_index_that_is_no_more_is_dropped(things: Store) -> None:
    collection = things.collections.get("things")
    things.collections.note_measure(collection.id, MEASURE)
    assert things.collections.get("things").index_measured is None


@pytest.mark.parametrize(
    ("index", "prompts"),
    [(Index(probes=3), None), (Index(IndexName.MILVUS, refine=3), None), (Index(IndexName.MILVUS), "best7")],
)
def test_index_that_cannot_be_is_refused(things: Store, index: Index, prompts: str | None) -> None:
    with pytest.raises(ExemplarError) as caught:
        things.collections.create("other", DEFAULT, Rule(), index=index, prompts=prompts)
    assert caught.value.code == "index_invalid"
    things.collections.create("third", DEFAULT, Rule(), prompts=prompts)
    with pytest.raises(ExemplarError) as caught:
        things.collections.change("third", {}, index=index)
    assert caught.value.code == "index_invalid"


def test_changes_come_page_by_page(things: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_CHANGES", 3)
    enroll_labels(things, *["cat", "dog"] * 4)
    collection = things.collections.get("things")
    version, ids, classes, pages = 0, [], set(), 0
    while True:
        changes = things.supports.changes_since(collection.id, version)
        assert changes is not None and len(changes.supports) <= 3
        ids += [change.id for change in changes.supports]
        classes |= {change.label for change in changes.classes}
        version, pages = changes.version, pages + 1
        if not changes.more:
            break
    assert (version, len(ids), len(set(ids)), classes) == (collection.version, 8, 8, {"cat", "dog"})
    assert pages == 3


@pytest.mark.parametrize("name", IndexName)
def test_enrolled_picture_is_found_by_every_index(
    settings: Settings, store: Store, digits: Digits, monkeypatch: pytest.MonkeyPatch, name: IndexName
) -> None:
    monkeypatch.setattr(training, "TRAIN_FROM", 2)
    store.collections.create("things", DEFAULT, Rule(), index=Index(name))
    with tools_with(settings, store, ToyEncoder()) as tools:
        milvus = Milvus("", "", settings.milvus_folder)
        feed = store.supports.changes_since
        tools = replace(
            tools,
            replicas=Replicas(feed, settings.snapshot_folder, milvus=milvus, run=lambda work: work()),
        )
        submit(store, JobKind.ENROLL, digits(0, 0), digits(1, 0), digits(2, 0), label="digit")
        job = submit(store, JobKind.CLASSIFY, digits(1, 0))
        run_pipeline(tools, DEFAULT)
        [result] = store.jobs.results(job).results
        assert (result["status"], result["candidates"][0]["label"]) == ("done", "digit")
        assert result["neighbours"][0]["similarity"] == pytest.approx(1.0, abs=1e-5)
    measured = store.collections.get("things").index_measured
    assert (measured is not None) == (name in (IndexName.IVF, IndexName.RABITQ))


def test_index_is_chosen_shown_and_changed_over_http(local: httpx.Client) -> None:
    made = local.post("/v1/collections", json={"name": "things", "index": {"name": "ivf", "probes": 9}})
    assert made.status_code == 201
    assert made.json()["index"] == {"name": "ivf", "probes": 9, "refine": None}
    assert made.json()["index_measured"] is None
    changed = local.patch("/v1/collections/things", json={"index": {"name": "milvus"}})
    assert (changed.status_code, changed.json()["index"]["name"]) == (200, "milvus")
    refused = local.patch("/v1/collections/things", json={"index": {"name": "flat", "probes": 9}})
    assert (refused.status_code, refused.json()["code"]) == (422, "index_invalid")
    unknown = local.post("/v1/collections", json={"name": "other", "index": {"name": "hnsw"}})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "request_invalid")


def test_probes_without_their_index_are_a_mistake_of_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(create, ["things", "--probes", "3", "--url", "http://127.0.0.1:9"])
    assert (result.exit_code, "--index ivf" in result.output) == (2, True)
