"""Buckets as the source of bulk jobs, by the same code, against a real S3 server: moto's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import fsspec
import pytest
from s3 import BUCKET, KEYS
from s3fs import S3FileSystem
from test_worker_source_reader import finish, submit

from core.errors import ExemplarError
from core.jobs import JobKind, JobState
from core.settings import Settings
from formats import remote_folders
from formats.remote_folders import list_objects
from formats.remote_names import prefix_of
from store.store import Store
from worker import source_reader
from worker.source_reader import SourceReader

pytestmark = pytest.mark.processes


@pytest.fixture
def bucket(s3_server: str, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a folder with 50 objects, `cat/00000.jpg` and so on, listed in pages of 20."""
    monkeypatch.setattr(remote_folders, "PAGE", 20)
    monkeypatch.setattr(source_reader, "SLICE_ITEMS", 5)
    client = client_of(s3_server)
    folder = s3_url.removeprefix(f"s3://{BUCKET}/")
    for number in range(50):
        client.put_object(
            Bucket=BUCKET, Key=f"{folder}/cat/{number:05}.jpg", Body=f"picture {number}".encode()
        )
    yield s3_url + "/"
    fsspec.filesystem("s3").rm(s3_url, recursive=True)


def client_of(url: str) -> Any:
    access, secret, region = KEYS.values()
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        region_name=region,
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options of each page that is requested."""
    calls: list[dict[str, Any]] = []
    call_s3 = S3FileSystem.call_s3

    def noted(files: S3FileSystem, method: str, **options: Any) -> Any:
        if method == "list_objects_v2":
            calls.append(options)
        return call_s3(files, method, **options)

    monkeypatch.setattr(S3FileSystem, "call_s3", noted)
    return calls


def test_pages_are_requested_as_they_are_needed(bucket: str, asked: list[dict[str, Any]]) -> None:
    listing = list_objects(prefix_of(bucket))
    first = next(listing)
    assert first is not None and (first.path, first.size) == ("cat/00000.jpg", 9) and first.tag
    assert len(asked) == 1
    assert sum(one is not None for one in listing) == 49
    assert len(asked) == 3


def test_wildcards_are_matched_and_their_beginning_is_asked_for(
    bucket: str, asked: list[dict[str, Any]]
) -> None:
    found = list(list_objects(prefix_of(bucket + "cat/0001*.jpg")))
    assert [one.path for one in found if one is not None] == [f"0001{n}.jpg" for n in range(10)]
    assert len(asked) == 1 and asked[0]["Prefix"].endswith("cat/0001")


def test_missing_bucket_is_named(s3_url: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        next(list_objects(prefix_of("s3://no-such-bucket/")))
    assert caught.value.code == "prefix_unreadable" and not caught.value.retry


def test_server_that_is_away_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    with pytest.raises(ExemplarError) as caught:
        next(list_objects(prefix_of("s3://away/")))
    S3FileSystem.clear_instance_cache()
    assert (caught.value.code, caught.value.retry) == ("remote_unavailable", True)


def test_bucket_is_read_by_one_worker_after_another(
    things: Store, settings: Settings, bucket: str, s3_server: str, asked: list[dict[str, Any]]
) -> None:
    settings = settings.model_copy(update={"remote_prefixes": (bucket,), "bulk_window_items": 100})
    job = submit(things, prefix=bucket, kind=JobKind.ENROLL, class_from="nearest")
    first = SourceReader(things, settings, "w:1")
    for _ in range(5):
        first.round()
    assert things.jobs.get(job).total == 25 and len(asked) == 2
    client, folder = client_of(s3_server), bucket.removeprefix(f"s3://{BUCKET}/")
    client.put_object(Bucket=BUCKET, Key=f"{folder}cat/00000a.jpg", Body=b"too late")
    client.put_object(Bucket=BUCKET, Key=f"{folder}cat/00040a.jpg", Body=b"in time")
    client.delete_object(Bucket=BUCKET, Key=f"{folder}cat/00020.jpg")  # it is in a chunk by now
    things.sources.expire_leases("w")
    del asked[:]
    second = SourceReader(things, settings, "v:2")
    contents = finish(things, second, settings)
    assert asked[0]["StartAfter"].endswith("cat/00024")
    expected: list[bytes | str] = [f"picture {n}".encode() for n in range(50)]
    expected.insert(41, b"in time")
    expected[20] = "picture_unreadable"
    assert list(dict(sorted(contents.items())).values()) == expected
    found = things.jobs.get(job)
    assert (found.total, found.expanding, found.state) == (51, False, JobState.SUCCEEDED)
    second.stop()
