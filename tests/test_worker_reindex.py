"""A reindex: followed, compared, switched and switched back, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import httpx
import numpy as np
import pytest
from tiny import DEFAULT
from working import ToyEncoder, submit, tools_with

from cli.reindex import label_rows
from core.collections import Labels, Rule, Views
from core.errors import ExemplarError
from core.jobs import FINAL, Item, JobKind, JobRequest, JobState, Lane, Source
from core.settings import Settings
from store.blobs import PICTURES
from store.checks.blobs import examine_blobs
from store.checks.record import examine_record
from store.checks.work import examine_work
from store.store import Store
from store.work.jobs import new_job_id
from worker.compare import compare_encoders
from worker.embedding import embed
from worker.load import load
from worker.pipeline import run_pipeline
from worker.settling import settle
from worker.source_reader import SourceReader
from worker.tools import Tools

Digits = Callable[[int, int], bytes]

OLD, NEW = DEFAULT, "timm:resnet18"


class OtherToy(ToyEncoder):
    """The same vectors with another number of components."""

    spec = NEW
    dim = 3

    def embed(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        seen = super().embed(prepared)
        return np.concatenate([np.zeros((len(seen), 1), np.float32), seen], axis=1)


@pytest.fixture
def tools(settings: Settings, store: Store) -> Iterator[Tools]:
    with tools_with(settings, store, ToyEncoder()) as tools:
        yield replace(tools, encoders={OLD: ToyEncoder(), NEW: OtherToy()})  # type: ignore[dict-item]


@pytest.fixture(autouse=True)
def things(tools: Tools, store: Store, digits: Digits) -> None:
    """Six supports of two classes."""
    store.collections.create("things", OLD, Rule())
    for label, digit in (("zero", 0), ("one", 1)):
        pictures = [digits(digit, n) for n in range(3)]
        submit(store, JobKind.ENROLL, *pictures, label=label, lane=Lane.BULK)
    run_pipeline(tools, OLD)


def work(tools: Tools) -> None:
    """Let a worker of both encoders do all the work."""
    source_reader = SourceReader(tools.store, tools.settings, tools.owner)
    while sum([source_reader.round(), *(run_pipeline(tools, spec) for spec in tools.encoders)]):
        pass


def answer(tools: Tools, picture: bytes, spec: str) -> dict[str, object]:
    job = submit(tools.store, JobKind.CLASSIFY, picture)
    run_pipeline(tools, spec)
    [result] = tools.store.jobs.results(job).results
    return dict(result)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(ExemplarError) as caught:
        call()
    return caught.value.code


def test_other_encoder_sees_every_kept_picture(tools: Tools, store: Store) -> None:
    job = store.reindexes.start("things", NEW)
    work(tools)
    assert store.jobs.get(job.id).state is JobState.SUCCEEDED
    found = store.reindexes.get("things")
    assert (found.supports, found.embedded, found.working, found.missing) == (6, 6, False, [])


def test_collection_answers_by_the_other_encoder_after_the_switch_and_by_the_first_after_back(
    tools: Tools, store: Store, digits: Digits
) -> None:
    before = answer(tools, digits(0, 5), OLD)
    store.reindexes.start("things", NEW)
    work(tools)
    version = store.collections.get("things").version
    assert answer(tools, digits(0, 5), OLD)["encoder"] == OLD
    store.reindexes.switch("things")
    after = answer(tools, digits(0, 5), NEW)
    assert (after["encoder"], after["index_version"]) == (NEW, version + 1)
    assert after["label"] == before["label"]
    assert store.reindexes.switch("things", back=True).encoder == OLD
    again = answer(tools, digits(0, 5), OLD)
    assert (again["encoder"], again["candidates"]) == (OLD, before["candidates"])
    assert again["index_version"] == version + 2


def test_enrolments_meanwhile_and_after_the_switch_are_followed(
    tools: Tools, store: Store, digits: Digits
) -> None:
    store.reindexes.start("things", NEW)
    SourceReader(store, tools.settings, tools.owner).round()
    submit(store, JobKind.ENROLL, digits(2, 0), label="two")
    run_pipeline(tools, OLD)
    assert refused(lambda: store.reindexes.switch("things")) == "reindex_unready"
    work(tools)
    assert store.reindexes.switch("things").embedded == 7
    found = answer(tools, digits(2, 0), NEW)["candidates"]
    assert "two" in {candidate["label"] for candidate in found}  # type: ignore[attr-defined]
    submit(store, JobKind.ENROLL, digits(3, 0), label="three")
    work(tools)
    assert store.reindexes.switch("things", back=True).embedded == 8
    assert {"two", "three"} <= {c["label"] for c in answer(tools, digits(3, 0), OLD)["candidates"]}  # type: ignore[attr-defined]


def test_changes_meanwhile_are_followed(tools: Tools, store: Store, digits: Digits) -> None:
    first = store.supports.page("things")[0]
    store.reindexes.start("things", NEW)
    SourceReader(store, tools.settings, tools.owner).round()  # its chunks exist now
    store.supports.delete("things", first.id)
    store.classes.change("things", "one", new_label="uno")
    work(tools)
    assert store.reindexes.switch("things").supports == 5
    replica = tools.replicas.current(store.collections.get("things").id, 3, encoder=NEW)
    assert replica is not None and len(replica) == 5 and first.id not in replica.content().ids
    assert {class_.label for class_ in replica.classes.values()} == {"zero", "uno"}


@pytest.mark.parametrize("kind", [JobKind.CLASSIFY, JobKind.ENROLL, JobKind.SEARCH])
def test_work_claimed_before_the_switch_is_done_by_the_encoder_after_it(
    tools: Tools, store: Store, digits: Digits, kind: JobKind
) -> None:
    store.reindexes.start("things", NEW)
    work(tools)
    job = submit(store, kind, digits(0, 7))
    encoder = tools.encoders[OLD]
    claimed = store.chunks.claim(tools.owner, OLD, tools.lanes, 4)
    seen = embed(tools, encoder, load(tools, encoder, claimed))
    store.reindexes.switch("things")
    settle(tools, encoder, seen)
    assert store.jobs.get(job).state is not JobState.SUCCEEDED
    run_pipeline(tools, NEW)
    assert store.jobs.get(job).state is JobState.SUCCEEDED
    replica = tools.replicas.current(store.collections.get("things").id, 3, encoder=NEW)
    assert replica is not None and len(replica) == (7 if kind is JobKind.ENROLL else 6)


def test_work_that_waits_at_the_switch_goes_to_the_encoder_after_it(
    tools: Tools, store: Store, digits: Digits
) -> None:
    store.reindexes.start("things", NEW)
    work(tools)
    job = submit(store, JobKind.CLASSIFY, digits(0, 7))
    store.reindexes.switch("things")
    assert run_pipeline(tools, OLD) == 0
    assert run_pipeline(tools, NEW) == 1
    assert store.jobs.get(job).state is JobState.SUCCEEDED


def test_support_without_its_picture_is_named_and_may_be_left_out(
    tools: Tools, store: Store, digits: Digits
) -> None:
    lost = store.supports.page("things")[0]
    store.blobs.remove(PICTURES, lost.picture)
    job = store.reindexes.start("things", NEW)
    work(tools)
    assert store.jobs.get(job.id).state is JobState.PARTIAL
    assert [one.support_id for one in store.reindexes.get("things").missing] == [lost.id]
    assert refused(lambda: store.reindexes.switch("things")) == "reindex_incomplete"
    store.reindexes.switch("things", leave_out=True)
    replica = tools.replicas.current(store.collections.get("things").id, 3, encoder=NEW)
    assert replica is not None and len(replica) == 5
    content = digits(0, 0)
    assert store.blobs.put(PICTURES, content) == lost.picture
    revived = store.control.retry(job.id)
    run_pipeline(tools, NEW)
    assert revived.encoder == NEW
    replica = tools.replicas.current(store.collections.get("things").id, 3, encoder=NEW)
    assert replica is not None and len(replica) == 6


def test_comparison_is_of_both_encoders_over_the_same_supports(tools: Tools, store: Store) -> None:
    store.reindexes.start("things", NEW)
    work(tools)
    made = compare_encoders(store, store.collections.get("things").id)
    assert (made.encoder, made.other, made.compared, made.changed.total) == (OLD, NEW, 6, 0)
    assert made.report.accuracy == made.other_report.accuracy


def test_comparison_of_several_labels_is_of_both_reports(
    local: httpx.Client, tools: Tools, store: Store, digits: Digits
) -> None:
    store.collections.create("photos", OLD, Rule(), labels=Labels.MANY, views=Views.TILES)
    for label, digit in (("zero", 0), ("one", 1)):
        pictures = [store.blobs.put(PICTURES, digits(digit, n)) for n in range(4)]
        items = [Item(n, one, labels=(label,), complete=True) for n, one in enumerate(pictures)]
        store.jobs.submit(new_job_id(), JobRequest("photos", JobKind.ENROLL, Lane.INTERACTIVE, items))
    work(tools)
    path = "/v1/collections/photos/reindex/comparison"
    store.reindexes.start("photos", NEW)
    work(tools)
    assert local.get(f"{path}/labels", headers={"Prefer": "wait=0"}).status_code == 202
    work(tools)
    found = local.get(f"{path}/labels").json()
    assert (found["encoder"], found["other"], found["compared"]) == (OLD, NEW, 8)
    assert len(found["notes"]) == 1 and "tiles" in found["notes"][0]
    one, other = found["report"], found["other_report"]
    assert (one["judged"], one["complete"]) == (other["judged"], other["complete"]) == (8, 8)
    assert one["average"] == other["average"]  # the same vectors
    assert 0 < one["average"]["map"] <= 1 and {line["label"] for line in one["labels"]} == {"zero", "one"}
    lines = {name: figures for name, *figures in label_rows(found)}
    assert lines["encoder"] == [OLD, NEW]
    assert lines["mAP"] == [one["average"]["map"]] * 2
    refused = local.get(path)
    assert (refused.status_code, refused.json()["code"]) == (422, "labels_unsupported")
    assert "comparison/labels" in refused.json()["detail"]
    of_one = local.get("/v1/collections/things/reindex/comparison/labels")
    assert (of_one.status_code, of_one.json()["code"]) == (422, "labels_unsupported")


def test_forgotten_encoder_leaves_nothing_and_another_can_begin(tools: Tools, store: Store) -> None:
    assert refused(lambda: store.reindexes.get("things")) == "reindex_not_found"
    assert refused(lambda: store.reindexes.start("things", OLD)) == "reindex_invalid"
    store.reindexes.start("things", NEW)
    assert refused(lambda: store.reindexes.start("things", "timm:resnet50")) == "reindex_invalid"
    work(tools)
    assert refused(lambda: store.reindexes.switch("things", back=True)) == "reindex_state_invalid"
    store.reindexes.forget("things")
    store.reindexes.start("things", "timm:resnet50")
    assert store.reindexes.get("things").embedded == 0


def test_cancelled_reindex_rests_until_it_is_started_again(tools: Tools, store: Store) -> None:
    job = store.reindexes.start("things", NEW)
    store.control.cancel(job.id)
    work(tools)
    assert refused(lambda: store.reindexes.switch("things")) == "reindex_incomplete"
    store.reindexes.start("things", NEW)
    work(tools)
    assert store.reindexes.switch("things").embedded == 6


def test_late_vector_of_a_forgotten_encoder_changes_nothing(tools: Tools, store: Store) -> None:
    store.reindexes.start("things", NEW)
    SourceReader(store, tools.settings, tools.owner).round()
    encoder = tools.encoders[NEW]
    seen = embed(tools, encoder, load(tools, encoder, store.chunks.claim(tools.owner, NEW, tools.lanes, 64)))
    job = store.reindexes.get("things").job_id
    store.reindexes.forget("things")
    settle(tools, encoder, seen)
    assert {result["error"]["code"] for result in store.jobs.results(job).results} == {"reindex_gone"}


def test_switch_waits_for_an_import(tools: Tools, store: Store) -> None:
    store.reindexes.start("things", NEW)
    work(tools)
    import_ = JobRequest("things", JobKind.IMPORT, Lane.BULK, (), source=Source(bundle="bundle"))
    job = store.jobs.submit(new_job_id(), import_).job.id
    assert refused(lambda: store.reindexes.switch("things")) == "reindex_unready"
    store.control.cancel(job)
    assert store.reindexes.switch("things").encoder == NEW


def test_work_given_back_after_the_switch_finds_the_encoder_that_answers(
    tools: Tools, store: Store, digits: Digits
) -> None:
    store.reindexes.start("things", NEW)
    work(tools)
    job = submit(store, JobKind.CLASSIFY, digits(0, 7))
    assert len(store.chunks.claim("gone", OLD, tools.lanes, 4)) == 1
    store.reindexes.switch("things")
    store.chunks.requeue_all("gone")  # and no worker serves the old encoder any more
    assert run_pipeline(tools, NEW) == 0
    assert store.reindexes.advance() == {NEW}
    assert run_pipeline(tools, NEW) == 1
    assert store.jobs.get(job).state is JobState.SUCCEEDED


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("end", ["forget", "delete"])
def test_reindex_ends_with_what_it_is_for(tools: Tools, store: Store, begun: bool, end: str) -> None:
    job = store.reindexes.start("things", NEW)
    if begun:  # its chunks wait
        SourceReader(store, tools.settings, tools.owner).round()
    if end == "forget":
        store.reindexes.forget("things")
    else:
        store.collections.delete("things")
    work(tools)
    assert store.jobs.get(job.id).state in FINAL
    assert list(examine_work(store)) == []


def test_reindex_whose_supports_are_still_to_be_queued_is_no_finding(tools: Tools, store: Store) -> None:
    store.reindexes.start("things", NEW)
    assert list(examine_work(store)) == []


def test_supports_that_only_one_of_two_encoders_has_seen_are_no_finding(
    tools: Tools, store: Store, digits: Digits
) -> None:
    store.blobs.remove(PICTURES, store.supports.page("things")[0].picture)
    store.reindexes.start("things", NEW)
    work(tools)
    store.reindexes.switch("things", leave_out=True)
    submit(store, JobKind.ENROLL, digits(3, 0), label="three")
    run_pipeline(tools, NEW)
    assert list(examine_record(store, deep=True)) == []


def test_kept_pictures_of_waiting_reindexes_are_looked_for_among_the_pictures(
    tools: Tools, store: Store
) -> None:
    store.reindexes.start("things", NEW)
    SourceReader(store, tools.settings, tools.owner).round()
    assert "pending_missing" not in {finding.code for finding in examine_blobs(store)}
