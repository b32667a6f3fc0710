"""The source reader: sources become chunks as the work proceeds, on both databases, with real pictures."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import psutil
import pytest
from archives import make_tar, make_zip
from enrolling import claim, settle
from waiting import until
from working import ToyEncoder, tools_with

from core.errors import ExemplarError
from core.jobs import Item, JobKind, JobRequest, JobState, Lane, Source
from core.settings import Settings
from formats.entry import Entry
from store.blobs import uploads_of
from store.checks.blobs import remove_orphaned_uploads
from store.store import Store
from store.work.jobs import new_job_id
from store.work.sources import HeldSource, Sources
from worker import source_reader
from worker.content import read_content
from worker.heartbeat import Heartbeat
from worker.source_reader import SourceReader

pytestmark = pytest.mark.slow

Digits = Callable[[int, int], bytes]


@pytest.fixture
def reader(things: Store, settings: Settings) -> Iterator[SourceReader]:
    reader = SourceReader(things, settings, "w:1")
    yield reader
    reader.stop()


def submit(
    store: Store, archive: bytes | None = None, *, kind: JobKind = JobKind.CLASSIFY, **more: object
) -> str:
    job_id = new_job_id()
    if archive is not None:
        more["archive"] = store.blobs.put_stream(uploads_of(job_id), [archive])
    if isinstance(more.get("manifest"), bytes):
        more["manifest"] = store.blobs.put_stream(uploads_of(job_id), [more["manifest"]])
    request = JobRequest("things", kind, Lane.BULK, (), source=Source(**more))
    return store.jobs.submit(job_id, request).job.id


def finish(store: Store, reader: SourceReader, settings: Settings) -> dict[int, bytes | str]:
    """Read and work until nothing is left; return the bytes of each item, or the code of its error."""
    contents: dict[int, bytes | str] = {}
    while True:
        fed = reader.round()
        chunks = claim(store, 1000)
        for chunk in chunks:
            for item in chunk.items:
                assert item.index not in contents
                contents[item.index] = content_of(store, settings, chunk, item)
            loaded = tuple(replace(item, picture=f"{item.index:064x}") for item in chunk.items)
            assert settle(
                store,
                replace(chunk, items=loaded),
                failing=[i.index for i in chunk.items if i.problem is not None],
            )
        if not fed and not chunks:
            return contents


def content_of(store: Store, settings: Settings, chunk, item: Item) -> bytes | str:
    if item.problem is not None:
        return item.problem["code"]
    try:
        return read_content(store, settings, chunk, item)
    except ExemplarError as error:
        return error.code


def files_of(count: int) -> dict[str, bytes]:
    return {f"cat/{number:05}.jpg": f"picture {number}".encode() for number in range(count)}


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_archive_becomes_items(things: Store, reader: SourceReader, settings: Settings, make) -> None:
    job = submit(things, make(files_of(600)))
    assert things.jobs.get(job).expanding
    contents = finish(things, reader, settings)
    assert contents == {number: f"picture {number}".encode() for number in range(600)}
    found = things.jobs.get(job)
    assert (found.state, found.total, found.done, found.expanding) == (JobState.SUCCEEDED, 600, 600, False)


def test_upload_is_deleted_once_it_is_read(things: Store, reader: SourceReader, settings: Settings) -> None:
    job = submit(things, make_zip(files_of(3)))
    folder = settings.data / "blobs" / uploads_of(job)
    [upload] = os.listdir(folder)
    finish(things, reader, settings)
    [pack] = os.listdir(folder)  # what a retry reads
    assert pack != upload


def test_bad_items_fail_alone(things: Store, reader: SourceReader, settings: Settings) -> None:
    files = {"../evil.jpg": b"x", "cat/1.jpg": b"one", "cat/2.jpg": b"", "cat/3.zip": b"x"}
    job = submit(things, make_zip(files), kind=JobKind.ENROLL)
    assert finish(things, reader, settings) == {
        0: "member_invalid", 1: b"one", 2: "picture_empty", 3: "archive_nested"
    }  # fmt: skip
    assert things.jobs.get(job).state is JobState.PARTIAL


def test_broken_archive_gives_what_could_be_read(
    things: Store, reader: SourceReader, settings: Settings
) -> None:
    job = submit(things, make_tar(files_of(300))[: 100 * 1024])
    contents = finish(things, reader, settings)
    assert contents == {**{n: f"picture {n}".encode() for n in range(100)}, 100: "archive_unreadable"}
    assert things.jobs.get(job).state is JobState.PARTIAL


def test_reading_waits_for_the_work(things: Store, settings: Settings) -> None:
    reader = SourceReader(things, settings.model_copy(update={"bulk_window_items": 500}), "w:1")
    job = submit(things, make_tar(files_of(2000)))
    for _ in range(10):
        reader.round()
    assert things.jobs.get(job).total == 512
    [chunk] = claim(things, 64)
    settle(things, chunk)
    for _ in range(10):
        reader.round()
    assert things.jobs.get(job).total == 768
    assert finish(things, reader, settings).keys() == set(range(64, 2000))
    assert things.jobs.get(job).state is JobState.SUCCEEDED
    reader.stop()


def test_paused_job_is_not_read_and_others_are(
    things: Store, reader: SourceReader, settings: Settings
) -> None:
    paused = [submit(things, make_tar(files_of(3))) for _ in range(5)]
    for job in paused:
        things.control.pause(job)
    job = submit(things, make_tar(files_of(3)))
    assert len(finish(things, reader, settings)) == 3
    assert things.jobs.get(job).state is JobState.SUCCEEDED
    assert things.jobs.get(paused[0]).total == 0


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_another_worker_reads_on_without_doubling(
    things: Store, settings: Settings, make, rounds: int
) -> None:
    job = submit(things, make(files_of(600)))
    first = SourceReader(things, settings, "w:1")
    for _ in range(rounds):
        first.round()
    first._store.sources.hold("w:1", 4)
    things.sources.expire_leases("w")  # it died, and its lease expired
    second = SourceReader(things, settings, "v:2")
    contents = finish(things, second, settings)
    assert contents == {number: f"picture {number}".encode() for number in range(600)}
    first.round()  # it continues after losing its lease
    assert things.jobs.get(job).total == 600
    second.stop()


def test_job_whose_source_cannot_be_read_ends(
    things: Store, reader: SourceReader, settings: Settings, monkeypatch
) -> None:
    monkeypatch.setattr(source_reader, "RETRY_S", 0.0)
    job = submit(things, make_tar(files_of(300)))
    reader.round()
    monkeypatch.setattr(reader, "_slice", lambda *_: 1 / 0)
    for _ in range(10):
        reader.round()
    contents = finish(things, reader, settings)
    assert contents[256] == "work_failed" and len(contents) == 257
    assert things.jobs.get(job).state is JobState.PARTIAL


def test_attempts_are_not_burnt_while_a_cause_may_pass(
    things: Store, reader: SourceReader, settings: Settings, monkeypatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    submit(things, make_tar(files_of(3)))
    with monkeypatch.context() as patched:
        patched.setattr(reader, "_slice", lambda *_: 1 / 0)
        for _ in range(10):
            assert not reader.round()
        [held] = things.sources.hold("w:1", 4)
        assert held.attempts == 1
    now += source_reader.RETRY_S
    assert reader.round()
    assert finish(things, reader, settings).keys() == {0, 1, 2}


def test_pause_is_longer_after_each_failure(
    things: Store, reader: SourceReader, settings: Settings, monkeypatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    submit(things, make_tar(files_of(3)))
    monkeypatch.setattr(reader, "_slice", lambda *_: 1 / 0)
    pauses = []
    for _ in range(settings.max_attempts):
        reader.round()
        [failure] = reader._failed.values()
        pauses.append(failure.until - now)
        now = failure.until
        reader.round()
    assert pauses == [1, 2, 4, 8]


def test_files_that_are_passed_over_hold_up_no_other_source(
    things: Store, reader: SourceReader, settings: Settings, monkeypatch
) -> None:
    """Each round ends after a while, even if an archive contains only hidden files for long."""
    hidden = {f"cat/.{number}": b"x" for number in range(50)}
    long = submit(things, make_tar(hidden | files_of(3)))
    other = submit(things, make_tar(files_of(5)))
    monkeypatch.setattr(source_reader, "PASSING_S", -1.0)
    assert reader.round()
    assert (things.jobs.get(long).total, things.jobs.get(other).total) == (0, 5)
    while reader.round():
        pass
    assert things.jobs.get(long).total == 3


def test_stop_does_not_wait_for_what_is_read_again(things: Store, settings: Settings, monkeypatch) -> None:
    monkeypatch.setattr(source_reader, "SLICE_ITEMS", 50)
    job = submit(things, make_tar(files_of(120)))
    first = SourceReader(things, settings, "w:1")
    first.round()
    first.stop()
    second = SourceReader(things, settings, "w:2")
    monkeypatch.setattr(source_reader, "PASSING_S", -1.0)
    for _ in range(50):
        assert second.round()
        assert things.jobs.get(job).total == 50
    contents = finish(things, second, settings)
    assert contents == {number: f"picture {number}".encode() for number in range(120)}
    second.stop()


def test_source_that_kills_worker_after_worker_is_given_up(things: Store, settings: Settings) -> None:
    job = submit(things, make_tar(files_of(3)))
    for life in range(settings.max_attempts):
        things.sources.hold(f"w:{life}", 4)
        things.sources.expire_leases("w")
    reader = SourceReader(things, settings, "w:last")
    assert finish(things, reader, settings) == {0: "worker_lost"}
    assert things.jobs.get(job).state is JobState.FAILED
    reader.stop()


def test_blobs_that_are_away_are_waited_for(
    things: Store, reader: SourceReader, settings: Settings, monkeypatch
) -> None:
    submit(things, make_tar(files_of(3)))

    def away(*_: object) -> str:
        raise ExemplarError("blobs_unavailable", "away", retry=True)

    with monkeypatch.context() as patched:
        patched.setattr(type(things.blobs), "put", away)
        for _ in range(10):
            assert not reader.round()
    assert len(finish(things, reader, settings)) == 3


def test_folder_is_listed_once(things: Store, settings: Settings, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for name, content in files_of(300).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    settings = settings.model_copy(update={"roots": (str(root),)})
    job = submit(things, folder=str(root), kind=JobKind.ENROLL)
    first = SourceReader(things, settings, "w:1")
    first.round()
    (root / "cat" / "00000a.jpg").write_bytes(b"new")
    (root / "cat" / "00299.jpg").unlink()
    things.sources.expire_leases("w")
    second = SourceReader(things, settings, "v:2")
    contents = finish(things, second, settings)
    assert contents == {**{n: f"picture {n}".encode() for n in range(299)}, 299: "path_not_allowed"}
    assert things.jobs.get(job).total == 300
    second.stop()


def test_rows_name_files_urls_and_objects(things: Store, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "1.jpg").write_bytes(b"one")
    with fsspec.open("memory://pictures/2.jpg", "wb") as file:
        file.write(b"two")
    settings = settings.model_copy(
        update={"roots": (str(tmp_path / "root"),), "remote_prefixes": ("memory://pictures/",)}
    )
    rows = [
        {"file": "1.jpg"}, {"url": "memory://pictures/2.jpg"},
        {"url": "memory://pictures/no.jpg"}, {"url": "memory://pictures/../2.jpg"}, {"url": "s3://other/2.jpg"},
        {"url": "file:///etc/passwd"}, {"url": "memory://other/2.jpg"},
    ]  # fmt: skip
    reader = SourceReader(things, settings, "w:1")
    submit(things, manifest="\n".join(map(json.dumps, rows)).encode())
    contents = finish(things, reader, settings)
    assert list(contents.values())[:3] == [b"one", b"two", "picture_unreadable"]
    assert set(list(contents.values())[3:]) <= {"url_not_allowed", "path_not_allowed"}
    reader.stop()


def test_file_that_was_swapped_for_a_link_is_not_read(
    things: Store, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    picture = tmp_path / "root" / "1.jpg"
    picture.write_bytes(b"one")
    settings = settings.model_copy(update={"roots": (str(tmp_path / "root"),)})
    submit(things, manifest=b'{"file": "1.jpg"}')
    reader = SourceReader(things, settings, "w:1")
    reader.round()
    picture.unlink()
    picture.symlink_to(tmp_path / "secret.jpg")
    assert finish(things, reader, settings) == {0: "path_not_allowed"}
    reader.stop()


def test_memory_stays_flat_however_large_the_archive(things: Store, settings: Settings) -> None:
    """1,000 members of 100 KB, 100 MB in all, through packs of 16 MB."""
    content = os.urandom(100_000)
    out = io.BytesIO(make_tar([(f"cat/{n:05}.jpg", content) for n in range(1000)]))
    job_id = new_job_id()
    archive = things.blobs.put_stream(uploads_of(job_id), iter(lambda: out.read(1 << 20), b""))
    out.close()
    request = JobRequest("things", JobKind.CLASSIFY, Lane.BULK, (), source=Source(archive=archive))
    things.jobs.submit(job_id, request)
    reader = SourceReader(things, settings.model_copy(update={"bulk_window_items": 100_000}), "w:1")
    reader.round()
    process = psutil.Process()
    before = process.memory_info().rss
    peak = before
    while reader.round():
        peak = max(peak, process.memory_info().rss)
    assert things.jobs.get(job_id).total == 1000
    assert peak - before < 40 << 20
    reader.stop()


def test_pictures_of_one_slice_share_a_pack(things: Store, reader: SourceReader, settings: Settings) -> None:
    job = submit(things, make_zip(files_of(256)))
    reader.round()
    [chunk, *_] = claim(things, 64)
    assert chunk.items[0] == replace(Item(0, None, None, "cat/00000.jpg"), place=chunk.items[0].place)
    folder = settings.data / "blobs" / uploads_of(job)
    assert len(os.listdir(folder)) == 2  # the archive and one pack


def test_source_of_a_reader_that_hangs_goes_to_another(
    things: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = settings.model_copy(update={"stall_s": 0.2, "lease_s": 0.2})
    job = submit(things, make_zip(files_of(3)))
    with tools_with(quick, things, ToyEncoder()) as tools:
        sources = Sources(things.database, lease_s=0.2, chunk_items=64)
        tools = replace(tools, store=replace(things, sources=sources))
        reader = SourceReader(tools.store, quick, tools.owner, tools.reading)
        hangs, let_go = threading.Event(), threading.Event()

        def hang(*_: object, **__: object) -> Iterator[Entry]:
            hangs.set()
            let_go.wait()
            yield from ()

        monkeypatch.setattr("worker.source_reader.read_steps", hang)
        reader.start()
        heartbeat = Heartbeat([tools])

        def take_over() -> list[HeldSource]:
            heartbeat._beat()
            return sources.hold("w2:1", 4)

        try:
            assert hangs.wait(100)
            others = until(take_over)
        finally:
            let_go.set()
            reader.stop()
    assert [held.job_id for held in others] == [job]


def test_uploads_that_no_job_came_of_go_after_a_day(things: Store, settings: Settings) -> None:
    job = submit(things, make_zip(files_of(1)))
    old = f"{int((time.time() - 90_000) * 1000):012x}" + "0" * 20
    things.blobs.put_stream(uploads_of(old), [b"x"])
    things.blobs.put_stream(uploads_of(new_job_id()), [b"x"])  # an upload in progress
    assert remove_orphaned_uploads(things) == 1
    assert len(things.blobs.jobs_with_uploads()) == 2 and job in things.blobs.jobs_with_uploads()
    assert remove_orphaned_uploads(things) == 0
