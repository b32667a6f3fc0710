"""Blobs on S3, by the same code, against a real server: moto's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from test_store_blobs import code_of

from core.errors import ExemplarError
from store.blobs import PICTURES, THUMBNAILS, Blobs, uploads_of

pytestmark = pytest.mark.processes

PART = 6 << 20  # S3 takes parts of 5 MB and more


@pytest.fixture
def blobs(s3_url: str) -> Blobs:
    return Blobs(s3_url)


def test_bytes_come_back_by_their_digest(blobs: Blobs) -> None:
    digest = blobs.put(PICTURES, b"a picture")
    assert blobs.get(PICTURES, digest) == b"a picture"
    assert blobs.get(PICTURES, digest, 2, 5) == b"pic"


def test_another_process_sees_what_was_written_a_moment_ago(s3_url: str) -> None:
    here, there = Blobs(s3_url), Blobs(s3_url)
    assert there.files(PICTURES) == [] and there.jobs_with_uploads() == []
    digest = here.put(PICTURES, b"a picture")
    here.put(uploads_of("job1"), b"an upload")
    assert [file.name for file in there.files(PICTURES)] == [digest]
    assert there.jobs_with_uploads() == ["job1"]
    there.remove_folder(uploads_of("job1"))
    assert here.jobs_with_uploads() == []


def test_missing_bytes_are_not_found(blobs: Blobs) -> None:
    assert code_of(blobs.get, PICTURES, "0" * 64) == "blob_not_found"
    assert code_of(blobs.open, PICTURES, "0" * 64) == "blob_not_found"


def test_streamed_upload_is_complete_and_seekable(blobs: Blobs) -> None:
    name = blobs.put_stream(uploads_of("job1"), [b"a" * PART, b"b" * PART, b"end"])
    file = blobs.open(uploads_of("job1"), name)
    file.seek(PART - 2)
    assert file.read(4) == b"aabb"
    file.seek(2 * PART)
    assert file.read() == b"end"
    file.close()


@pytest.mark.parametrize("size", [10, PART])
def test_upload_that_breaks_off_leaves_nothing(blobs: Blobs, size: int) -> None:
    def broken() -> Iterator[bytes]:
        yield b"a" * size
        yield b"a" * size
        raise ConnectionAbortedError("the caller hung up")

    with pytest.raises((ConnectionAbortedError, ExemplarError)):
        blobs.put_stream(uploads_of("job1"), broken())
    assert blobs.files(uploads_of("job1")) == []


def test_what_the_sender_raises_passes_as_it_is(blobs: Blobs) -> None:
    def refused() -> Iterator[bytes]:
        yield b"a"
        raise ExemplarError("body_too_large", "too much")

    assert code_of(blobs.put_stream, uploads_of("job1"), refused()) == "body_too_large"
    assert blobs.files(uploads_of("job1")) == []


def test_folder_goes_with_all_its_blobs_and_no_other(blobs: Blobs) -> None:
    gone = [blobs.put(uploads_of("job1"), bytes([n])) for n in range(3)]
    kept = blobs.put(uploads_of("job10"), b"kept")
    blobs.remove_folder(uploads_of("job1"))
    blobs.remove_folder(uploads_of("job1"))
    assert {code_of(blobs.get, uploads_of("job1"), digest) for digest in gone} == {"blob_not_found"}
    assert blobs.get(uploads_of("job10"), kept) == b"kept"


def test_files_say_how_old_they_are(blobs: Blobs) -> None:
    blobs.put(THUMBNAILS, b"small")
    [file] = blobs.files(THUMBNAILS)
    assert -5 < file.age_s < 60
    blobs.remove_file(file.path)
    blobs.remove_file(file.path)
    assert blobs.files(THUMBNAILS) == [] and blobs.age_s(file) == 0.0


def test_many_may_keep_the_same_bytes_at_once(blobs: Blobs) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(blobs.put, [PICTURES] * 8, [b"x" * 100_000] * 8))) == 1


def test_check_writes_and_leaves_nothing(blobs: Blobs) -> None:
    blobs.check()
    assert blobs.files("probe") == []


def test_unreachable_server_is_reported(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    monkeypatch.setattr("s3fs.core.S3FileSystem.cachable", False)  # a cached one keeps the first server
    away = Blobs(f"s3://exemplar/{uuid4().hex}")
    for call in (
        lambda: away.put(PICTURES, b"a picture"),
        lambda: away.get(PICTURES, "0" * 64),
        lambda: away.open(PICTURES, "0" * 64).read(),
        lambda: away.put_stream(PICTURES, [b"a"]),
        lambda: away.files(PICTURES),
        away.jobs_with_uploads,
        away.check,
        lambda: away.remove(PICTURES, "0" * 64),
        lambda: away.remove_folder(PICTURES),
    ):
        with pytest.raises(ExemplarError) as caught:
            call()
        assert (caught.value.code, caught.value.retry) == ("blobs_unavailable", True)


def test_bucket_that_is_not_there_keeps_nothing(s3_server: str) -> None:
    assert code_of(Blobs("s3://no-such-bucket/blobs").put, PICTURES, b"a") == "blobs_unavailable"
