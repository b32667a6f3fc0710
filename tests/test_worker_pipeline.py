"""Guarantees of the pipeline, with a toy encoder in this process, on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from picture_files import encode
from PIL import Image
from tiny import DEFAULT
from waiting import until
from working import ToyEncoder, submit, tools_with

from core.collections import Rule, Views
from core.errors import ExemplarError
from core.jobs import Chunk, Item, JobKind, JobRequest, JobState, Lane
from core.settings import Settings
from store.blobs import Blobs, digest_of, uploads_of
from store.checks.blobs import remove_orphaned_uploads
from store.queue.wake_ups import WakeUps
from store.store import Store
from store.work.chunks import Chunks
from store.work.jobs import new_job_id
from worker.activity import Activity
from worker.heartbeat import is_stalled
from worker.interactive import InteractiveLane
from worker.pipeline import run_pipeline
from worker.sweep import remove_old_jobs, wake_workers
from worker.tools import Tools

Digits = Callable[[int, int], bytes]

OF_PICTURES = [JobKind.CLASSIFY, JobKind.ENROLL, JobKind.SEARCH]


@pytest.fixture
def encoder() -> ToyEncoder:
    encoder = ToyEncoder()
    encoder.batch_size = 4  # a few pictures are several batches
    return encoder


@pytest.fixture
def tools(settings: Settings, store: Store, encoder: ToyEncoder) -> Iterator[Tools]:
    with tools_with(settings, store, encoder) as tools:
        yield tools


@pytest.fixture(autouse=True)
def things(store: Store) -> None:
    store.collections.create("things", DEFAULT, Rule())


def codes(store: Store, job: str) -> list[str]:
    return [result.get("error", {}).get("code", "") for result in store.jobs.results(job).results]


def red() -> bytes:
    return encode(Image.new("RGB", (8, 8), (250, 10, 10)))


def test_run_settles_all_queued_work_in_batches(
    tools: Tools, store: Store, encoder: ToyEncoder, digits: Digits
) -> None:
    job = submit(store, JobKind.ENROLL, *(digits(0, n) for n in range(10)))
    assert run_pipeline(tools, DEFAULT) == 10
    assert store.jobs.get(job).state is JobState.SUCCEEDED
    assert encoder.batches == [4, 4, 2]


@pytest.mark.parametrize("views", sorted(set(Views) - {Views.TILES}))
@pytest.mark.parametrize("kind", OF_PICTURES)
def test_pictures_are_looked_at_as_the_collection_says(
    tools: Tools, store: Store, encoder: ToyEncoder, digits: Digits, kind: JobKind, views: Views
) -> None:
    store.collections.create("others", DEFAULT, Rule(), views=views)
    submit(store, kind, digits(0, 0), collection="others")
    run_pipeline(tools, DEFAULT)
    assert encoder.views == [views]


def test_answer_says_which_rule_decided_and_why(tools: Tools, store: Store, digits: Digits) -> None:
    for label, digit in (("zero", 0), ("one", 1)):
        submit(store, JobKind.ENROLL, *(digits(digit, n) for n in range(6)), label=label)
    job = submit(store, JobKind.CLASSIFY, digits(0, 0))
    while run_pipeline(tools, DEFAULT):
        pass
    [result] = store.jobs.results(job).results
    assert result["rule"] == "kernel"
    assert set(result["explanation"]) == {"margin", "supports"}
    assert set(result["explanation"]["supports"][0]) == {"support_id", "label", "similarity", "share"}
    assert result["candidate_set"]["level"] == Rule().coverage
    assert set(result["candidate_set"]["labels"]) <= {"zero", "one"}
    assert set(result["novelty"]) == {"score", "threshold", "accepts_unfamiliar"}


def test_run_without_work_ends_immediately(tools: Tools) -> None:
    assert run_pipeline(tools, DEFAULT) == 0


def test_picture_without_a_vector_fails_alone(tools: Tools, store: Store, digits: Digits) -> None:
    enrolled = submit(store, JobKind.ENROLL, digits(0, 0), red(), digits(0, 1))
    asked = submit(store, JobKind.CLASSIFY, digits(0, 0), red(), digits(0, 1))
    run_pipeline(tools, DEFAULT)
    assert codes(store, enrolled) == codes(store, asked) == ["", "vector_invalid", ""]
    assert store.collections.get("things").supports == 2


def test_work_that_fails_again_and_again_is_given_up(
    tools: Tools, store: Store, encoder: ToyEncoder, digits: Digits
) -> None:
    job = submit(store, JobKind.CLASSIFY, digits(0, 0))
    encoder.fails = True
    for _ in range(tools.settings.max_attempts):
        assert store.jobs.get(job).state in (JobState.QUEUED, JobState.RUNNING)
        run_pipeline(tools, DEFAULT)
        store.chunks.sweep()
    [result] = store.jobs.results(job).results
    assert result["error"]["code"] == "work_failed"
    assert "the device is on fire" in result["error"]["detail"]


def test_work_that_failed_once_is_done_later(
    tools: Tools, store: Store, encoder: ToyEncoder, digits: Digits
) -> None:
    job = submit(store, JobKind.ENROLL, digits(0, 0), digits(0, 1))
    encoder.fails = True
    run_pipeline(tools, DEFAULT)
    encoder.fails = False
    store.chunks.sweep()
    for _ in range(2):  # what failed once is claimed alone
        run_pipeline(tools, DEFAULT)
    assert store.jobs.get(job).state is JobState.SUCCEEDED


def test_blobs_that_are_away_for_a_moment_fail_no_item(
    tools: Tools, store: Store, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(store, JobKind.CLASSIFY, digits(0, 0))
    with monkeypatch.context() as broken:

        def fail(*_: object) -> bytes:
            raise ExemplarError("blobs_unavailable", "away", retry=True)

        broken.setattr(Blobs, "get", fail)
        broken.setattr("worker.pipeline.PAUSE_S", 0)
        run_pipeline(tools, DEFAULT)
    store.chunks.sweep()
    run_pipeline(tools, DEFAULT)
    assert codes(store, job) == [""]


class Away(MemoryFileSystem):
    """A remote server that does not answer."""

    protocol = "away"

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: object) -> bytes:
        raise TimeoutError("no answer")


@pytest.fixture
def remote_tools(settings: Settings, store: Store, encoder: ToyEncoder) -> Iterator[Tools]:
    fsspec.register_implementation("away", Away, clobber=True)
    allowing = settings.model_copy(update={"remote_prefixes": ("away://bucket/",)})
    with tools_with(allowing, store, encoder) as tools:
        yield tools


def submit_remote(store: Store, picture: bytes) -> str:
    """Submit a job of two pictures: one on an unresponsive server, one stored here."""
    job = new_job_id()
    here = store.blobs.put(uploads_of(job), picture)
    items = [Item(0, place="away://bucket/a.jpg"), Item(1, here)]
    return store.jobs.submit(job, JobRequest("things", JobKind.CLASSIFY, Lane.INTERACTIVE, items)).job.id


def test_place_that_does_not_answer_lets_other_work_pass(
    remote_tools: Tools, store: Store, digits: Digits
) -> None:
    waiting = submit_remote(store, digits(0, 0))
    other = submit(store, JobKind.CLASSIFY, digits(0, 1))
    run_pipeline(remote_tools, DEFAULT)
    assert codes(store, other) == [""]
    assert store.jobs.get(waiting).state is JobState.RUNNING
    assert not store.chunks.claim("another", DEFAULT, list(Lane), 4)


def test_pictures_of_a_place_that_stays_away_fail_in_the_end_and_alone(
    remote_tools: Tools, store: Store, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    defer = Chunks.defer

    def defer_shortly(chunks: Chunks, owner: str, chunk: Chunk, pause_s: float) -> None:
        pauses.append(pause_s)
        defer(chunks, owner, chunk, 0.0)

    monkeypatch.setattr(Chunks, "defer", defer_shortly)
    job = submit_remote(store, digits(0, 0))
    run_pipeline(remote_tools, DEFAULT)
    assert codes(store, job) == ["remote_unavailable", ""]
    assert pauses == [10.0, 60.0, 360.0]


def test_picture_whose_bytes_are_gone_fails_alone(tools: Tools, store: Store, digits: Digits) -> None:
    job = submit(store, JobKind.CLASSIFY, digits(0, 0))
    store.blobs.remove_folder(uploads_of(job))
    run_pipeline(tools, DEFAULT)
    assert codes(store, job) == ["blob_not_found"]


def test_decoder_that_raises_anything_hands_the_work_back(
    tools: Tools, store: Store, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(store, JobKind.CLASSIFY, digits(0, 0))
    with monkeypatch.context() as broken:

        def fail(*_: object, **__: object) -> None:
            raise MemoryError

        broken.setattr("worker.load.decode_picture", fail)
        run_pipeline(tools, DEFAULT)
    assert store.chunks.sweep() == 1
    run_pipeline(tools, DEFAULT)
    assert codes(store, job) == [""]


def test_class_deleted_before_the_run_stays_deleted(tools: Tools, store: Store, digits: Digits) -> None:
    submit(store, JobKind.ENROLL, digits(0, 0))
    run_pipeline(tools, DEFAULT)
    job = submit(store, JobKind.ENROLL, digits(0, 1))
    store.classes.delete("things", "cat")
    run_pipeline(tools, DEFAULT)
    assert codes(store, job) == ["class_deleted"]
    assert store.collections.get("things").classes == 0


@pytest.mark.parametrize("kind", OF_PICTURES)
def test_collection_deleted_before_the_run_fails_its_items(
    tools: Tools, store: Store, digits: Digits, kind: JobKind
) -> None:
    job = submit(store, kind, digits(0, 0), b"text")
    store.collections.delete("things")
    run_pipeline(tools, DEFAULT)
    assert codes(store, job) == ["collection_not_found", "picture_unreadable"]


def test_uploads_of_an_old_job_that_cannot_be_removed_with_it_go_later(
    tools: Tools, store: Store, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = digits(0, 0)
    job = submit(store, JobKind.CLASSIFY, picture)
    run_pipeline(tools, DEFAULT)
    with monkeypatch.context() as broken:

        def fail(*_: object) -> None:
            raise ExemplarError("blobs_unavailable", "away", retry=True)

        broken.setattr(Blobs, "remove_folder", fail)
        with pytest.raises(ExemplarError):
            remove_old_jobs(store, -60.0)
    store.blobs.get(uploads_of(job), digest_of(picture))
    monkeypatch.setattr("store.checks.blobs.SAFE_S", -60.0)
    assert remove_orphaned_uploads(store) == 1
    for look in (lambda: store.jobs.get(job), lambda: store.blobs.get(uploads_of(job), digest_of(picture))):
        with pytest.raises(ExemplarError, match=r"there is no job|are missing"):
            look()


def test_each_run_has_its_own_owner(tools: Tools, store: Store, digits: Digits) -> None:
    """So the leases of what one run leaves undone are not renewed by the next."""
    submit(store, JobKind.CLASSIFY, digits(0, 0))
    owners = set()
    for _ in range(2):
        with tools.activity.run("w") as owner:
            owners.add(owner)
            assert tools.activity.owner == owner
    assert len(owners) == 2 and tools.activity.owner is None
    assert all(owner.startswith("w:") for owner in owners)


@pytest.mark.processes
def test_worker_is_stalled_when_work_waits_and_no_run_starts(
    tools: Tools, store: Store, settings: Settings, digits: Digits
) -> None:
    submit(store, JobKind.CLASSIFY, digits(0, 0))
    hasty = settings.model_copy(update={"stall_s": 1e-9})
    hurried = replace(tools, settings=hasty)
    assert not is_stalled(hurried)
    assert is_stalled(hurried)
    run_pipeline(tools, DEFAULT)
    assert not is_stalled(hurried)


def test_worker_is_not_stalled_while_redis_is_away(tools: Tools, store: Store, digits: Digits) -> None:
    submit(store, JobKind.CLASSIFY, digits(0, 0))
    away = replace(store, wake_ups=WakeUps("unix:///nothing.sock"))
    hasty = tools.settings.model_copy(update={"stall_s": 1e-9})
    lonely = replace(tools, store=away, settings=hasty)
    wake_workers(away, away.chunks.waiting())
    assert not any(is_stalled(lonely) for _ in range(3))


def test_work_for_other_workers_is_no_stall(tools: Tools, store: Store, digits: Digits) -> None:
    store.collections.create("others", "timm:other", Rule())
    items = [Item(0, "a" * 64)]
    store.jobs.submit(new_job_id(), JobRequest("others", JobKind.CLASSIFY, Lane.BULK, items))
    hasty = tools.settings.model_copy(update={"stall_s": 1e-9})
    hurried = replace(tools, settings=hasty)
    assert not any(is_stalled(hurried) for _ in range(3))


def submit_bulk(store: Store, *pictures: bytes) -> str:
    job = new_job_id()
    items = [Item(n, store.blobs.put(uploads_of(job), picture)) for n, picture in enumerate(pictures)]
    return store.jobs.submit(job, JobRequest("things", JobKind.CLASSIFY, Lane.BULK, items)).job.id


def test_person_who_waits_is_answered_beside_bulk_work(
    tools: Tools, store: Store, encoder: ToyEncoder, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each lane has an encoder of its own, so that nobody waits for a batch of the other."""
    bulk, embed = submit_bulk(store, *(digits(1, n) for n in range(12))), encoder.embed
    begun, let_go = threading.Event(), threading.Event()

    def held(prepared: list) -> object:
        begun.set()
        assert let_go.wait(100)
        return embed(prepared)

    monkeypatch.setattr(encoder, "embed", held)
    beside = replace(tools, lanes=(Lane.INTERACTIVE,), encoders={DEFAULT: ToyEncoder()}, activity=Activity())
    bulk_tools = replace(tools, lanes=(Lane.BULK,))
    with ThreadPoolExecutor(3) as pool, ThreadPoolExecutor(1) as loader, ThreadPoolExecutor(1) as settler:
        run = pool.submit(run_pipeline, bulk_tools, DEFAULT)
        assert begun.wait(100)
        job = submit(store, JobKind.CLASSIFY, digits(0, 0))
        lane = InteractiveLane(replace(beside, loader=loader, settler=settler))
        lane.start()
        try:
            until(lambda: store.jobs.get(job).state is JobState.SUCCEEDED)
            assert not run.done()
        finally:
            let_go.set()
            lane.stop()
        assert run.result() == 12
    assert store.jobs.get(bulk).state is JobState.SUCCEEDED


def test_each_picture_is_decoded_after_a_call_that_may_hold_still(
    tools: Tools, store: Store, digits: Digits
) -> None:
    called: list[bool] = []
    submit_bulk(store, digits(0, 0), digits(0, 1), b"no picture")
    assert run_pipeline(replace(tools, hold=lambda: called.append(True)), DEFAULT) == 3
    assert len(called) == 3


def test_lanes_follow_one_collection_in_turn(tools: Tools, store: Store, digits: Digits) -> None:
    """Their replicas are shared: both bring one up to date, and neither sees half a change."""
    for n in range(4):
        submit(store, JobKind.ENROLL, digits(0, n), label=f"class {n}")
    run_pipeline(tools, DEFAULT)
    [found] = store.collections.page()
    with ThreadPoolExecutor(8) as pool:
        replicas = list(pool.map(lambda _: tools.replicas.current(found.id, 2), range(64)))
    assert all(replica is replicas[0] for replica in replicas)
    assert (len(replicas[0]), replicas[0].version) == (4, 4)


def test_run_ends_only_when_all_is_settled(
    tools: Tools, store: Store, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leases of a run end with it, so nothing may be settled afterwards."""
    job = submit(store, JobKind.CLASSIFY, *(digits(0, n) for n in range(6)))
    settle = type(store.chunks).settle

    def slow(*arguments: object) -> object:
        time.sleep(0.2)
        return settle(*arguments)

    monkeypatch.setattr(type(store.chunks), "settle", slow)
    assert run_pipeline(tools, DEFAULT) == 6
    assert store.jobs.get(job).state is JobState.SUCCEEDED


def test_jpeg_is_decoded_no_larger_than_the_encoder_needs(
    tools: Tools, store: Store, encoder: ToyEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    prepare = encoder.prepare
    monkeypatch.setattr(
        encoder, "prepare", lambda picture, views: seen.append(picture.size) or prepare(picture, views)
    )
    submit(store, JobKind.CLASSIFY, encode(Image.new("RGB", (640, 512), (9, 9, 9)), "JPEG"))
    run_pipeline(tools, DEFAULT)
    assert seen == [(80, 64)]
