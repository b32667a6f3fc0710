"""Zero-shot classes, with a toy encoder that has a text side, on both databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from picture_files import encode
from PIL import Image
from tiny import DEFAULT
from working import ToyEncoder, submit, tools_with

from core.collections import Rule
from core.jobs import JobKind, JobState
from core.settings import Settings
from store.store import Store
from worker.pipeline import run_pipeline
from worker.tools import Tools


@pytest.fixture
def encoder() -> ToyEncoder:
    return ToyEncoder(reads=True)


@pytest.fixture
def tools(settings: Settings, store: Store, encoder: ToyEncoder) -> Iterator[Tools]:
    store.collections.create("things", DEFAULT, Rule(), prompts="best7")
    with tools_with(settings, store, encoder) as tools:
        yield tools


def shade(grey: float) -> bytes:
    return encode(Image.new("L", (8, 8), round(grey * 255)))


def named(tools: Tools, *greys: float, collection: str = "things") -> list[Mapping[str, Any]]:
    job = submit(tools.store, JobKind.CLASSIFY, *(shade(grey) for grey in greys), collection=collection)
    run_pipeline(tools, DEFAULT)
    return list(tools.store.jobs.results(job).results)


def best(results: list[Mapping[str, Any]]) -> list[str]:
    return [result["candidates"][0]["label"] for result in results]


def test_class_of_a_name_alone_answers_at_once(tools: Tools) -> None:
    for label in ("white", "black"):
        tools.store.classes.add("things", label)
    assert best(named(tools, 0.0, 1.0, 0.1)) == ["black", "white", "black"]


def test_class_of_a_name_alone_says_nothing_without_prompts(tools: Tools, encoder: ToyEncoder) -> None:
    tools.store.collections.create("mute", DEFAULT, Rule())
    tools.store.classes.add("mute", "white")
    [result] = named(tools, 1.0, collection="mute")
    assert (result["decision"], result["label"], result["status"]) == ("unknown", None, "done")
    assert encoder.read == []


def test_label_is_read_once_and_kept_for_the_next_process(
    tools: Tools, encoder: ToyEncoder, settings: Settings, store: Store
) -> None:
    store.classes.add("things", "white")
    named(tools, 1.0)
    named(tools, 1.0)
    store.classes.add("things", "black")
    named(tools, 1.0)
    assert encoder.read == [["white"], ["black"]]
    other = ToyEncoder(reads=True)
    with tools_with(settings, store, other) as again:
        assert best(named(again, 0.0, 1.0)) == ["black", "white"]
    assert other.read == []


def test_renamed_class_is_known_by_its_new_name(tools: Tools) -> None:
    for label in ("white", "black"):
        tools.store.classes.add("things", label)
    assert best(named(tools, 1.0)) == ["white"]
    tools.store.classes.change("things", "white", new_label="grey")
    tools.store.classes.change("things", "black", new_label="white")
    assert best(named(tools, 0.5, 1.0)) == ["grey", "white"]


def test_deleted_class_is_no_candidate(tools: Tools) -> None:
    for label in ("white", "black"):
        tools.store.classes.add("things", label)
    named(tools, 1.0)
    tools.store.classes.delete("things", "white")
    [result] = named(tools, 1.0)
    assert [candidate["label"] for candidate in result["candidates"]] == ["black"]


def test_pictures_count_in_addition_to_the_name(tools: Tools) -> None:
    """Pictures correct what the name gets wrong."""
    for label in ("white", "black"):
        tools.store.classes.add("things", label)
    submit(tools.store, JobKind.ENROLL, *(shade(0.8 + n / 50) for n in range(8)), label="black")
    submit(tools.store, JobKind.ENROLL, *(shade(0.1 + n / 50) for n in range(8)), label="white")
    while run_pipeline(tools, DEFAULT):
        pass
    assert best(named(tools, 0.9, 0.2)) == ["black", "white"]


def test_label_without_a_finite_vector_affects_no_other(tools: Tools, encoder: ToyEncoder) -> None:
    for label in ("white", "nonsense"):
        tools.store.classes.add("things", label)
    assert best(named(tools, 1.0)) == ["white"]
    tools.store.classes.add("things", "black")
    assert best(named(tools, 1.0)) == ["white"]
    assert encoder.read == [["nonsense", "white"], ["black"]]


def test_encoder_that_cannot_read_fails_the_items_and_not_the_worker(
    tools: Tools, encoder: ToyEncoder
) -> None:
    tools.store.classes.add("things", "white")
    encoder.has_text = False
    [result] = named(tools, 1.0)
    assert result["error"]["code"] == "text_side_missing"
    job = submit(tools.store, JobKind.ENROLL, shade(1.0), label="white")
    run_pipeline(tools, DEFAULT)
    assert tools.store.jobs.get(job).state is JobState.SUCCEEDED


def test_text_side_that_breaks_is_given_up_and_the_worker_lives_on(
    tools: Tools, encoder: ToyEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools.store.classes.add("things", "white")
    job = submit(tools.store, JobKind.CLASSIFY, shade(1.0))
    with monkeypatch.context() as broken:

        def fail(*_: object) -> None:
            raise RuntimeError("out of memory")

        broken.setattr(encoder, "embed_labels", fail)
        for _ in range(tools.settings.max_attempts):
            run_pipeline(tools, DEFAULT)
            tools.store.chunks.sweep()
    [result] = tools.store.jobs.results(job).results
    assert result["error"]["code"] == "work_failed"
    assert best(named(tools, 1.0)) == ["white"]


def test_more_labels_than_one_run_can_embed_are_left_to_the_next_runs(
    tools: Tools, encoder: ToyEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(6):
        tools.store.classes.add("things", f"{n} %")
    monkeypatch.setattr("worker.texts.AT_ONCE", 2)
    monkeypatch.setattr("worker.texts.READ_S", 0.0)
    tools.store.collections.create("others", DEFAULT, Rule())
    job = submit(tools.store, JobKind.CLASSIFY, shade(1.0))
    other = submit(tools.store, JobKind.CLASSIFY, shade(1.0), collection="others")
    hurried = replace(tools, settings=tools.settings.model_copy(update={"claim_s": 0.0}))
    for read in ([2], [2, 2]):
        run_pipeline(hurried, DEFAULT)
        assert [len(labels) for labels in encoder.read] == read
        assert tools.store.jobs.get(job).state is JobState.RUNNING
        assert tools.store.jobs.get(other).state is JobState.SUCCEEDED
    run_pipeline(hurried, DEFAULT)
    assert tools.store.jobs.get(job).state is JobState.SUCCEEDED
    assert [len(labels) for labels in encoder.read] == [2, 2, 2]
