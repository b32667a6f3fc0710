"""Smoothing in this process: its inputs, its changes, and that repeating it gives the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from picture_files import encode
from PIL import Image
from supporting import units
from tiny import DEFAULT
from waiting import until
from working import ToyEncoder, submit, tools_with

from core.changes import ClassChange
from core.collections import ClassKind, DecisionName, Rule
from core.errors import ExemplarError
from core.jobs import Item, JobKind, JobRequest, JobState, Lane
from core.settings import Settings
from index.smoothing import smooth
from store.blobs import Blobs, uploads_of
from store.store import Store
from store.work.jobs import new_job_id
from worker import smoothing_loop
from worker.pipeline import run_pipeline
from worker.smoother import Smoother
from worker.smoothing_inputs import SmoothingInputs, keep, pack, unpack
from worker.smoothing_loop import SmoothingLoop
from worker.tools import Tools

pytestmark = pytest.mark.slow

RAW = ("neighbours", "explanation", "novelty", "index_version", "encoder", "rule", "item", "custom_id")


@pytest.fixture
def tools(settings: Settings, store: Store) -> Iterator[Tools]:
    store.collections.create("things", DEFAULT, Rule())
    with tools_with(settings, store, ToyEncoder()) as tools:
        for label, grey in (("dark", 60), ("light", 190)):
            known = [grey_picture(grey + n) for n in range(6)]
            submit(store, JobKind.ENROLL, *known, label=label, lane=Lane.BULK)
        work(tools)
        yield tools


@pytest.fixture
def smoother(tools: Tools, settings: Settings) -> SmoothingLoop:
    return SmoothingLoop(tools.store, settings, "w:1")


def grey_picture(level: int) -> bytes:
    return encode(Image.new("L", (8, 8), level))


def red() -> bytes:
    return encode(Image.new("RGB", (8, 8), (250, 10, 10)))


LEVELS = [*range(40, 230, 5)]


def work(tools: Tools) -> None:
    while run_pipeline(tools, DEFAULT):
        pass


def asked(
    tools: Tools, *, pictures: Sequence[bytes] = (), smoothed: bool = True, top: int = 2, chunk: int = 5
) -> str:
    """Submit pictures to classify, answer them, and return the job."""
    store, job = tools.store, new_job_id()
    pictures = pictures or [grey_picture(level) for level in LEVELS]
    items = [Item(n, store.blobs.put(uploads_of(job), p), custom_id=f"p{n}") for n, p in enumerate(pictures)]
    store.jobs._limits = replace(store.jobs._limits, chunk_items=chunk)
    request = JobRequest("things", JobKind.CLASSIFY, Lane.BULK, items, top, smooth=smoothed)
    store.jobs.submit(job, request)
    work(tools)
    return job


def results(tools: Tools, job: str) -> list[Mapping[str, Any]]:
    return list(tools.store.jobs.results(job, limit=1000).results)


def without_times(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in r.items() if name != "timing_ms"} for r in found]


def test_results_are_those_of_smoothing_all_pictures_of_the_job(
    tools: Tools, smoother: SmoothingLoop
) -> None:
    plain = results(tools, asked(tools, smoothed=False))
    job = asked(tools)
    before = results(tools, job)
    assert [{**r, "timing_ms": 0} for r in before] == [
        {**r, "timing_ms": 0, "smoothed": False} for r in plain
    ]
    assert tools.store.jobs.get(job).state is JobState.RUNNING
    assert smoother.round() and not smoother.round()
    assert tools.store.jobs.get(job).state is JobState.SUCCEEDED

    labels = ["dark", "light"]
    prior = [[{c["label"]: c["probability"] for c in r["candidates"]}[at] for at in labels] for r in before]
    names = [chunk.name for chunk in tools.store.smoothings.chunks(job)]
    kept = [unpack(tools.store.blobs.get(uploads_of(job), name or "")) for name in names]
    expected = smooth(np.array(prior), np.concatenate([part.vectors for part in kept]))
    after = results(tools, job)
    for was, now, row in zip(before, after, expected, strict=True):
        assert {c["label"]: pytest.approx(c["probability"], abs=1e-4) for c in now["candidates"]} == dict(
            zip(labels, row.tolist(), strict=True)
        )
        assert (now["smoothed"], now["candidate_set"]) == (True, None)
        assert now["confidence"] == pytest.approx(float(row.max()), abs=1e-4)
        assert now["label"] == (None if was["decision"] == "unknown" else labels[row.argmax()])
        assert all(now[name] == was[name] for name in RAW)
    assert any(was["candidates"] != now["candidates"] for was, now in zip(before, after, strict=True))


def test_counts_are_those_of_the_final_results(tools: Tools, smoother: SmoothingLoop) -> None:
    job = asked(tools)
    smoother.round()
    found = results(tools, job)
    counts = tools.store.jobs.tally(job)
    for decision in ("known", "unknown", "ambiguous"):
        assert counts["decisions"].get(decision, 0) == sum(r["decision"] == decision for r in found)


def test_job_that_does_not_ask_for_it_keeps_and_changes_nothing(
    tools: Tools, smoother: SmoothingLoop
) -> None:
    job = asked(tools, smoothed=False)
    assert not smoother.round()
    assert all("smoothed" not in result for result in results(tools, job))
    assert all(chunk.name is None for chunk in tools.store.smoothings.chunks(job))


def test_failed_pictures_are_left_out(tools: Tools, smoother: SmoothingLoop) -> None:
    good = [grey_picture(level) for level in LEVELS]
    alone = asked(tools, pictures=good)
    mixed = asked(tools, pictures=[red(), *good[:20], b"no picture", *good[20:]])
    assert smoother.round() and smoother.round()
    assert tools.store.jobs.get(mixed).state is JobState.PARTIAL
    found = results(tools, mixed)
    assert [r["error"]["code"] for r in found if r["status"] == "failed"] == [
        "vector_invalid", "picture_unreadable"
    ]  # fmt: skip
    answers = [[r[name] for name in ("decision", "label", "confidence")] for r in results(tools, alone)]
    assert answers == [
        [r[name] for name in ("decision", "label", "confidence")] for r in found if r["status"] == "done"
    ]


def test_job_of_which_all_failed_and_job_of_one_end(tools: Tools, smoother: SmoothingLoop) -> None:
    failed, one = asked(tools, pictures=[red()]), asked(tools, pictures=[grey_picture(60)])
    assert smoother.round() and smoother.round()
    assert tools.store.jobs.get(failed).state is JobState.FAILED
    assert tools.store.jobs.get(one).state is JobState.SUCCEEDED
    assert results(tools, one)[0]["smoothed"] is True


def test_smoothing_of_an_empty_collection_leaves_all_unknown(
    settings: Settings, store: Store, smoother: SmoothingLoop
) -> None:
    store.collections.create("nothing", DEFAULT, Rule())
    job = new_job_id()
    items = [Item(n, store.blobs.put(uploads_of(job), grey_picture(n))) for n in range(3)]
    store.jobs.submit(job, JobRequest("nothing", JobKind.CLASSIFY, Lane.BULK, items, smooth=True))
    with tools_with(settings, store, ToyEncoder()) as tools:
        work(tools)
    assert smoother.round()
    found = store.jobs.results(job).results
    assert {(result["decision"], result["smoothed"]) for result in found} == {("unknown", True)}
    assert store.jobs.get(job).state is JobState.SUCCEEDED


@pytest.mark.parametrize("breaks_at", [0, 1, 2, 7])
def test_whoever_dies_over_it_the_next_gives_the_same(
    tools: Tools, settings: Settings, monkeypatch: pytest.MonkeyPatch, breaks_at: int
) -> None:
    monkeypatch.setattr(smoothing_loop, "CHUNKS_AT_ONCE", 1)
    whole, broken = asked(tools), asked(tools)
    first = SmoothingLoop(tools.store, settings, "w:1")
    assert first.round()
    assert tools.store.jobs.get(whole).finished_at is not None

    write, writes = tools.store.smoothings.write, 0

    def dies(*arguments: Any) -> bool:
        nonlocal writes
        writes += 1
        if writes > breaks_at:
            raise KeyboardInterrupt
        return write(*arguments)

    monkeypatch.setattr(tools.store.smoothings, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        first.round()
    monkeypatch.undo()
    assert [r["smoothed"] for r in results(tools, broken)].count(True) == min(breaks_at * 5, len(LEVELS))
    second = SmoothingLoop(tools.store, settings, "v:1")
    assert not second.round()
    tools.store.smoothings.expire_leases("w")
    assert second.round()
    assert without_times(results(tools, broken)) == without_times(results(tools, whole))
    assert tools.store.jobs.tally(broken) == tools.store.jobs.tally(whole)
    assert tools.store.jobs.get(broken).state is JobState.SUCCEEDED


def test_retried_pictures_are_smoothed_with_the_others(
    tools: Tools, smoother: SmoothingLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = asked(tools)
    assert smoother.round()
    read = Blobs.get

    def some(self: Blobs, folder: str, digest: str, *place: int) -> bytes:
        if digest in lost:
            raise ExemplarError("blob_not_found", "not here")
        return read(self, folder, digest, *place)

    lost = {tools.store.blobs.put("probe", grey_picture(level)) for level in LEVELS[7:12]}
    monkeypatch.setattr(Blobs, "get", some)
    job = asked(tools)
    assert smoother.round()
    assert tools.store.jobs.get(job).state is JobState.PARTIAL
    lost.clear()
    tools.store.control.retry(job)
    work(tools)
    assert tools.store.jobs.get(job).state is JobState.RUNNING
    assert smoother.round()
    assert tools.store.jobs.get(job).state is JobState.SUCCEEDED
    assert without_times(results(tools, job)) == without_times(results(tools, whole))


def test_job_of_too_many_items_ends_as_it_is_and_says_so(tools: Tools, settings: Settings) -> None:
    limited = settings.model_copy(update={"smooth_max_items": 10})
    job = asked(replace(tools, settings=limited))
    assert [chunk.name is None for chunk in tools.store.smoothings.chunks(job)][:3] == [False, False, True]
    assert SmoothingLoop(tools.store, limited, "w:1").round()
    found = tools.store.jobs.get(job)
    assert found.state is JobState.SUCCEEDED
    assert found.note == "not smoothed: expected at most 10 items, got 38"
    assert {result["smoothed"] for result in results(tools, job)} == {False}


def test_job_whose_smoothing_fails_again_and_again_ends(
    tools: Tools, smoother: SmoothingLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = asked(tools)

    def burst(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(smoothing_loop, "Smoother", burst)
    for _ in range(tools.settings.max_attempts):
        assert tools.store.jobs.get(job).state is JobState.RUNNING
        assert smoother.round()
    assert smoother.round() and not smoother.round()
    found = tools.store.jobs.get(job)
    assert found.state is JobState.SUCCEEDED
    assert found.note == "smoothing was given up after 4 attempts, at last with: MemoryError: no room"


def test_blobs_that_are_away_are_waited_for(
    tools: Tools, smoother: SmoothingLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = asked(tools)

    def away(*_: object) -> bytes:
        raise ExemplarError("blobs_unavailable", "away", retry=True)

    monkeypatch.setattr(smoothing_loop, "AWAY_S", 0.0)
    monkeypatch.setattr(Blobs, "get", away)
    for _ in range(10):
        assert smoother.round()
    monkeypatch.undo()
    assert smoother.round()
    assert (tools.store.jobs.get(job).state, tools.store.jobs.get(job).note) == (JobState.SUCCEEDED, None)


def test_smoother_that_is_stopped_leaves_the_job_to_others(tools: Tools, settings: Settings) -> None:
    job = asked(tools)
    stopped = SmoothingLoop(tools.store, settings, "w:1")
    stopped.stop()
    stopped.round()
    stopped.stop()
    assert tools.store.jobs.get(job).finished_at is None
    assert SmoothingLoop(tools.store, settings, "v:1").round()
    assert tools.store.jobs.get(job).state is JobState.SUCCEEDED


def test_thread_smooths_until_it_is_stopped(tools: Tools, smoother: SmoothingLoop) -> None:
    job = asked(tools)
    smoother.start()
    until(lambda: tools.store.jobs.get(job).finished_at is not None)
    smoother.stop()
    assert tools.store.jobs.get(job).state is JobState.SUCCEEDED


# The following tests need no record.


def part(probabilities: Sequence[Sequence[float]], *, first: int = 0, **changes: Any) -> SmoothingInputs:
    """Pictures on a line, near to the next, with classes a, b, c and so on."""
    rows = np.array(probabilities, np.float32)
    n, k = rows.shape
    angles = (first + np.arange(n)) / 1000
    kept = SmoothingInputs(
        items=first + np.arange(n),
        vectors=np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32),
        is_unknown=np.zeros(n, bool),
        columns=np.tile(np.arange(k), (n, 1)),
        probabilities=rows,
        class_ids=np.arange(k) + 1,
        labels=[chr(ord("a") + column) for column in range(k)],
        is_normal=np.ones(k, bool),
        certainty=0.5,
    )
    return replace(kept, **changes)


def answer(smoothed: Smoother, item: int) -> Mapping[str, Any]:
    return smoothed.change({"item": item, "status": "done"})


def test_picture_follows_its_neighbours() -> None:
    smoothed = Smoother([part([[0.9, 0.1]] * 5 + [[0.45, 0.55]])], top=2)
    assert (answer(smoothed, 5)["label"], answer(smoothed, 5)["decision"]) == ("a", "known")


def test_unknown_stays_unknown_however_its_neighbours_are_called() -> None:
    unknown = np.array([False] * 5 + [True])
    smoothed = Smoother([part([[0.9, 0.1]] * 6, is_unknown=unknown)], top=2)
    assert (answer(smoothed, 5)["decision"], answer(smoothed, 5)["label"]) == ("unknown", None)
    assert answer(smoothed, 0)["decision"] == "known"


def test_negative_class_is_not_named_though_the_neighbours_are_of_it() -> None:
    rows = [[0.1, 0.9]] * 5 + [[0.55, 0.45]]
    negative = part(rows, is_normal=np.array([True, False]))
    assert (answer(Smoother([negative], 2), 5)["decision"], answer(Smoother([negative], 2), 5)["label"]) == (
        DecisionName.UNKNOWN,
        None,
    )
    assert answer(Smoother([part(rows)], 2), 5)["label"] == "b"


def test_certainty_is_that_of_the_rule_at_the_time() -> None:
    even = [[0.5, 0.5]] * 6
    assert answer(Smoother([part(even, certainty=0.6)], 2), 0)["decision"] == "ambiguous"
    assert answer(Smoother([part(even, certainty=0.4)], 2), 0)["decision"] == "known"


def test_class_that_was_renamed_or_came_meanwhile_is_one_class() -> None:
    early = part([[0.9, 0.1]] * 5)
    late = part([[0.8, 0.1, 0.1]] * 5, first=5, labels=["A", "b", "c"])
    smoothed = Smoother([early, late], top=3)
    assert [c["label"] for c in answer(smoothed, 0)["candidates"]] == ["A", "b", "c"]
    assert sum(c["probability"] for c in answer(smoothed, 0)["candidates"]) == pytest.approx(1)


def test_probabilities_beyond_the_best_are_shared() -> None:
    """Each picture has probabilities of two of three classes; the third gets the rest."""
    first = part([[0.7, 0.2]] * 2)
    other = part([[0.6, 0.3]] * 2, first=2, class_ids=np.array([1, 3]), labels=["a", "c"])
    found = answer(Smoother([first, other], top=3), 0)
    assert found["label"] == "a"
    assert sum(c["probability"] for c in found["candidates"]) == pytest.approx(1)
    assert all(c["probability"] > 0 for c in found["candidates"])


def test_result_that_failed_or_is_of_no_kept_picture_stays() -> None:
    smoothed = Smoother([part([[0.9, 0.1]] * 3)], top=2)
    for result in ({"item": 1, "status": "failed"}, {"item": 9, "status": "done"}):
        assert smoothed.change(result) is result


def test_more_than_fits_in_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.smoother.MOST_CELLS", 5)
    with pytest.raises(ExemplarError) as caught:
        Smoother([part([[0.9, 0.1]] * 3)], top=2)
    assert caught.value.code == "smooth_invalid"


def test_what_is_kept_is_what_was_answered(tools: Tools, digits: Callable[[int, int], bytes]) -> None:
    kept = part([[0.9, 0.1], [0.3, 0.7]], vectors=units(2, dim=384))
    again = unpack(pack(kept))
    assert pack(kept) == pack(kept)
    assert np.allclose(again.vectors, kept.vectors, atol=1e-3)
    assert np.allclose(np.linalg.norm(again.vectors, axis=1), 1, atol=1e-6)
    assert (again.labels, again.certainty) == (list(kept.labels), kept.certainty)
    assert np.array_equal(again.probabilities, kept.probabilities)


def test_nothing_answered_is_kept_too() -> None:
    classes: dict[int, ClassChange] = {1: ClassChange(1, "a", ClassKind.NORMAL)}
    assert len(unpack(pack(keep([], np.empty((0, 2), np.float32), [], classes, 0.5))).items) == 0
