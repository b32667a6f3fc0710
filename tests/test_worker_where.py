"""Answers among the supports that match a filter, on both databases, with real pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tiny import DEFAULT
from working import ToyEncoder, tools_with

from core.collections import Labels, Rule, RuleName
from core.jobs import Item, JobKind, JobRequest, Lane
from core.settings import Settings
from index import filtered
from index.filtered import FilteredReplicas
from store.blobs import PICTURES, uploads_of
from store.store import Store
from store.work.jobs import new_job_id
from worker.pipeline import run_pipeline
from worker.tools import Tools

pytestmark = pytest.mark.slow

Digits = Callable[[int, int], bytes]
NORTH = {"where": {"site": ["north"]}}


@pytest.fixture
def tools(things: Store, settings: Settings) -> Iterator[Tools]:
    with tools_with(settings, things, ToyEncoder(reads=True)) as tools:
        yield tools


def run(tools: Tools, kind: JobKind, items: list[Item], collection: str = "things", **more: Any) -> list[Any]:
    job = new_job_id()
    request = JobRequest(collection, kind, Lane.INTERACTIVE, items, **more)
    tools.store.jobs.submit(job, request)
    run_pipeline(tools, DEFAULT)
    return list(tools.store.jobs.results(job).results)


def teach(tools: Tools, digits: Digits, collection: str = "things", **labels: Any) -> list[int]:
    """Enrol three classes, the last of which is in the south alone."""
    items = []
    for number, (label, site) in enumerate(
        [("one", "north"), ("two", "north"), ("one", "south"), ("three", "south"), ("three", "south")]
    ):
        said: dict[str, Any] = {"labels": (label,), "complete": True} if labels else {"label": label}
        picture = tools.store.blobs.put(PICTURES, digits(number, 0))
        about = {"site": site}
        items.append(Item(number, picture, external_id=f"x{number}", metadata=about, **said))
    return [one["support_id"] for one in run(tools, JobKind.ENROLL, items, collection)]


def ask(tools: Tools, picture: bytes, collection: str = "things", **more: Any) -> dict[str, Any]:
    job = new_job_id()
    name = tools.store.blobs.put(uploads_of(job), picture)
    request = JobRequest(
        collection, more.pop("kind", JobKind.CLASSIFY), Lane.INTERACTIVE, [Item(0, name)], **more
    )
    tools.store.jobs.submit(job, request)
    run_pipeline(tools, DEFAULT)
    [result] = tools.store.jobs.results(job).results
    return {**result, "job": job}


def test_decision_is_made_among_what_matches(tools: Tools, digits: Digits) -> None:
    supports = teach(tools, digits)
    picture = digits(3, 0)  # of class three, in the south
    everywhere = ask(tools, picture)
    assert everywhere["candidates"][0]["label"] == "three"
    north = ask(tools, picture, options=NORTH)
    assert {one["label"] for one in north["candidates"]} == {"one", "two"}
    assert {one["support_id"] for one in north["neighbours"]} == set(supports[:2])
    assert north["index_version"] == everywhere["index_version"]
    found = ask(tools, picture, kind=JobKind.SEARCH, options=NORTH)
    assert [one["support_id"] for one in found["neighbours"]] == [
        one["support_id"] for one in everywhere["neighbours"] if one["support_id"] in supports[:2]
    ]


def test_nothing_that_matches_is_unknown(tools: Tools, digits: Digits) -> None:
    teach(tools, digits)
    answer = ask(tools, digits(0, 0), options={"where": {"site": ["west"]}})
    assert (answer["status"], answer["decision"], answer["neighbours"]) == ("done", "unknown", [])


def test_change_of_metadata_is_seen_by_the_next_answer(tools: Tools, digits: Digits) -> None:
    supports = teach(tools, digits)
    picture = digits(3, 0)
    before = ask(tools, picture, options=NORTH)
    tools.store.supports.describe("things", supports[3], {"metadata": {"site": "north"}})
    after = ask(tools, picture, options=NORTH)
    assert after["neighbours"][0]["support_id"] == supports[3]
    assert after["index_version"] == before["index_version"] + 1
    assert ask(tools, picture)["index_version"] == after["index_version"]
    tools.store.supports.describe("things", supports[3], {"metadata": {"site": None}})
    assert ask(tools, picture, options=NORTH)["neighbours"] == before["neighbours"]
    tools.store.supports.delete("things", supports[0])
    assert {one["support_id"] for one in ask(tools, picture, options=NORTH)["neighbours"]} == {supports[1]}


def test_several_labels_are_decided_among_what_matches(tools: Tools, digits: Digits) -> None:
    tools.store.collections.create("sets", DEFAULT, Rule(), labels=Labels.MANY)
    supports = teach(tools, digits, "sets", many=True)
    answer = ask(tools, digits(3, 0), "sets", options=NORTH)
    assert {one["label"] for one in answer["candidates"]} == {"one", "two"}
    assert {one["support_id"] for one in answer["neighbours"]} == set(supports[:2])
    assert {one["external_id"] for one in answer["neighbours"]} == {"x0", "x1"}


def test_class_without_a_match_is_no_candidate_by_its_name(tools: Tools, digits: Digits) -> None:
    tools.store.collections.create("named", DEFAULT, Rule(), prompts="best7")
    for label in ("black", "white"):
        tools.store.classes.add("named", label)
    picture = tools.store.blobs.put(PICTURES, digits(0, 0))
    run(tools, JobKind.ENROLL, [Item(0, picture, "grey", metadata={"site": "north"})], "named")
    everywhere = ask(tools, digits(1, 0), "named")
    assert {one["label"] for one in everywhere["candidates"]} == {"black", "white", "grey"}
    north = ask(tools, digits(1, 0), "named", options=NORTH)
    assert [one["label"] for one in north["candidates"]] == ["grey"]
    west = ask(tools, digits(1, 0), "named", options={"where": {"site": ["west"]}})
    assert (west["status"], west["decision"], west["candidates"]) == ("done", "unknown", [])


def test_answers_bear_the_external_ids_of_their_supports(tools: Tools, digits: Digits) -> None:
    supports = teach(tools, digits)
    answer = ask(tools, digits(3, 0))
    for one in (*answer["neighbours"], *answer["explanation"]["supports"]):
        assert one["external_id"] == f"x{supports.index(one['support_id'])}"
    tools.store.supports.describe("things", supports[0], {"external_id": None})
    [one] = [n for n in ask(tools, digits(3, 0))["neighbours"] if n["support_id"] == supports[0]]
    assert "external_id" not in one


def test_answers_decided_again_keep_their_filter(tools: Tools, digits: Digits) -> None:
    teach(tools, digits)
    before = ask(tools, digits(3, 0), options=NORTH)
    found = tools.store.jobs.get(before["job"])
    assert found.where == NORTH["where"]
    items = [Item(0)]
    options = {"dry_run": False, **NORTH}
    run(tools, JobKind.REDECIDE, items, target=before["job"], options=options)
    [again] = tools.store.jobs.results(before["job"]).results
    for name, key in (("candidates", "label"), ("neighbours", "external_id")):
        assert [one[key] for one in again[name]] == [one[key] for one in before[name]]


def test_text_finds_supports(tools: Tools, digits: Digits) -> None:
    teach(tools, digits)
    ToyEncoder.embed_texts = lambda self, texts: self.embed_labels(texts, "best7")  # type: ignore[attr-defined]
    try:
        items = [Item(0, text="black"), Item(1, text="no grey"), Item(2, text="white")]
        black, failed, white = run(tools, JobKind.SEARCH, items)
    finally:
        del ToyEncoder.embed_texts  # type: ignore[attr-defined]
    ids = [[one["support_id"] for one in found["neighbours"]] for found in (black, white)]
    assert ids[0] == ids[1][::-1] and len(ids[0]) == 5
    assert failed["error"]["code"] == "vector_invalid"


def test_filters_used_last_are_kept(tools: Tools, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    teach(tools, digits)
    monkeypatch.setattr(filtered, "MOST_FILTERS", 2)
    read: list[int] = []

    def feed(collection_id: int, version: int, where: Any) -> Any:
        read.append(version)
        return tools.store.supports.changes_since(collection_id, version, where)

    kept = FilteredReplicas(feed)
    collection = tools.store.collections.get("things")
    for site in ("north", "south", "north", "west", "north", "south"):
        del read[:]
        replica = kept.current(collection.id, 2, {"site": [site]}, encoder=None)
        assert replica is not None and replica.version == collection.version
        assert len(replica) == {"north": 2, "south": 3, "west": 0}[site]
    assert read[0] == 0  # it was dropped


@pytest.mark.parametrize("rule", [RuleName.KERNEL, RuleName.RIDGE, RuleName.PROTOTYPE, RuleName.NEIGHBOURS])
def test_answers_are_those_of_a_collection_of_the_matching_alone(
    tools: Tools, digits: Digits, rule: RuleName
) -> None:
    sites = ["north", "south", "north", "east"] * 8
    for name in ("all", "alone"):
        tools.store.collections.create(name, DEFAULT, Rule(rule))
    for name in ("all", "alone"):
        items = [
            Item(n, tools.store.blobs.put(PICTURES, digits(n % 3, n)), f"c{n % 3}", metadata={"site": site})
            for n, site in enumerate(sites)
            if name == "all" or site == "north"
        ]
        run(tools, JobKind.ENROLL, items, name)
    for digit in range(3):
        filtered_, alone = (
            ask(tools, digits(digit, 40), name, options=options)
            for name, options in (("all", NORTH), ("alone", {}))
        )
        assert filtered_["decision"] == alone["decision"] and filtered_["rule"] == alone["rule"]
        for one, other in zip(filtered_["candidates"], alone["candidates"], strict=True):
            assert one["label"] == other["label"]
            assert one["probability"] == pytest.approx(other["probability"], abs=1e-6)
        similarities = [[one["similarity"] for one in of["neighbours"]] for of in (filtered_, alone)]
        assert similarities[0] == pytest.approx(similarities[1], abs=1e-6)
