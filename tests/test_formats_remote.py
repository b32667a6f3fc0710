"""Prefixes of object storage: what they name, in which order, and how a listing is resumed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from core.errors import ExemplarError
from core.jobs import Source
from core.settings import Settings
from formats.entries import read_entries, read_steps
from formats.entry import Entry
from formats.remote_folders import list_objects
from formats.remote_names import allowed_prefix, prefix_of


@pytest.fixture
def bucket() -> Iterator[str]:
    """The URL of an empty folder in memory."""
    url = f"memory://b-{uuid4().hex}/in/"
    yield url
    with fsspec.open(url + "x", "wb"):
        pass
    MemoryFileSystem().rm(url.removeprefix("memory:/").rstrip("/"), recursive=True)


def fill(url: str, *paths: str) -> None:
    for path in paths:
        with fsspec.open(url + path, "wb") as file:
            file.write(path.encode())


def paths(url: str, after: str | None = None) -> list[str]:
    return [one.path for one in list_objects(prefix_of(url), after=after) if one is not None]


def entries(url: str, settings: Settings, *, enrols: bool = True, **more: Any) -> list[Entry]:
    source = Source(prefix=url, **more)
    return list(read_entries(source, lambda _: pytest.fail("no upload"), settings, enrols=enrols))


def allowing(url: str, **more: Any) -> Settings:
    return Settings(remote_prefixes=(url,), **more)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.jpg", "a.jpg", True),
        ("*.jpg", "a/b.jpg", False),
        ("**/*.jpg", "a.jpg", True),
        ("**/*.jpg", "a/b/c.jpg", True),
        ("**/*.jpg", "a/b/c.png", False),
        ("a/**", "a/b/c", True),
        ("a*/", "ab/c/d.png", True),
        ("a*/", "b/c", False),
        ("??.[jp]*", "ab.jpg", True),
        ("??.[jp]*", "abc.jpg", False),
        ("**/x/**/y*", "x/y.jpg", True),
        ("**/x/**/y*", "a/x/b/c/y.jpg", True),
        ("**/x/**/y*", "a/b/y.jpg", False),
    ],
)
def test_wildcards_match_parts_of_paths(pattern: str, path: str, matches: bool) -> None:
    assert prefix_of("s3://bucket/" + pattern).matches(path) is matches


def test_many_wildcards_take_no_long_time() -> None:
    prefix = prefix_of("s3://bucket/" + "*a" * 15 + "b")
    assert not prefix.matches("a" * 1000)


@pytest.mark.parametrize(
    ("url", "folder", "start"),
    [
        ("s3://bucket", "s3://bucket/", "s3://bucket/"),
        ("s3://bucket/2026", "s3://bucket/2026/", "s3://bucket/2026/"),
        ("s3://bucket/2026/", "s3://bucket/2026/", "s3://bucket/2026/"),
        ("s3://bucket/2026/*.jpg", "s3://bucket/2026/", "s3://bucket/2026/"),
        ("gs://bucket/2026/img-*/a", "gs://bucket/2026/", "gs://bucket/2026/img-"),
    ],
)
def test_prefix_begins_at_a_folder(url: str, folder: str, start: str) -> None:
    prefix = prefix_of(url)
    assert (prefix.folder, prefix.start) == (folder, start)


@pytest.mark.parametrize(
    "url",
    [
        "", "/etc", "bucket/x", "file:///etc", "local:///etc", "pack://x", "http://example.org/",
        "https://example.org/*", "s3://", "s3://buck*/x", "s3://bucket/../x", "zip://x::s3://bucket/a",
        "s3://bucket/" + "*x" * 17,
    ],
)  # fmt: skip
def test_what_names_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        prefix_of(url)
    assert caught.value.code == "url_not_allowed"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("s3://bucket/in", True),
        ("s3://bucket/in/2026/*.jpg", True),
        ("s3://bucket/in*", False),
        ("s3://bucket/in-secret", False),
        ("s3://bucket", False),
        ("s3://bucket/*", False),
        ("gs://bucket/in/", False),
    ],
)
def test_only_what_lies_under_an_allowed_prefix_is_listed(url: str, allowed: bool) -> None:
    try:
        assert allowed_prefix(url, ["s3://bucket/in/"]) and allowed
    except ExemplarError as error:
        assert error.code == "url_not_allowed" and not allowed


def test_objects_are_listed_in_the_order_of_their_names(bucket: str) -> None:
    names = ["a.jpg", "a/z.jpg", "a-b.jpg", "b/c/d.jpg", "b/c.jpg", "B.jpg", "é.jpg"]
    fill(bucket, *names)
    assert paths(bucket) == sorted(names)


def test_listing_goes_on_after_each_name(bucket: str) -> None:
    names = sorted(["a.jpg", "a/z.jpg", "a-b.jpg", "b/c/d.jpg", "b/c.jpg", "b/d", "c"])
    fill(bucket, *names)
    for number, name in enumerate(names):
        assert paths(bucket, after=name) == names[number + 1 :]


def test_hidden_objects_and_videos_of_live_photos_are_passed_over(bucket: str) -> None:
    fill(bucket, ".hidden/a.jpg", "a/.b.jpg", "__MACOSX/a.jpg", "Thumbs.db", "x.HEIC", "x.MOV", "y.mov")
    assert paths(bucket) == ["x.HEIC", "y.mov"]
    assert paths(bucket, after="x.HEIC") == ["y.mov"]
    found = [one for one in list_objects(prefix_of(bucket)) if one is not None]
    assert found[1].error is not None and found[1].error.code == "picture_unreadable"


def test_folder_is_the_class_as_in_an_archive(bucket: str) -> None:
    fill(bucket, "cat/1.jpg", "dog/2.jpg", "3.jpg", "far/off/4.jpg")
    found = entries(bucket, allowing(bucket))
    assert [(one.custom_id, one.label) for one in found] == [
        ("3.jpg", "in"), ("cat/1.jpg", "cat"), ("dog/2.jpg", "dog"), ("far/off/4.jpg", "off")
    ]  # fmt: skip
    assert [one.place for one in found][1] == bucket + "cat/1.jpg"
    assert [one.label for one in entries(bucket, allowing(bucket), class_from="top")][-1] == "far"


def test_folders_of_one_name_clash_for_a_later_reader_too(bucket: str) -> None:
    fill(bucket, "a/images/1.jpg", "b/images/2.jpg", "c/images/3.jpg")
    assert [one.error and one.error.code for one in entries(bucket, allowing(bucket))] == [
        None, "class_ambiguous", "class_ambiguous"
    ]  # fmt: skip
    rest = entries(bucket, allowing(bucket), after=bucket + "a/images/1.jpg")
    assert [one.error and one.error.code for one in rest] == ["class_ambiguous", "class_ambiguous"]


def test_empty_prefix_is_an_error_and_a_finished_one_is_not(bucket: str) -> None:
    fill(bucket, "a.jpg")
    [one] = entries(bucket + "none*", allowing(bucket))
    assert one.error is not None and one.error.code == "archive_empty"
    source = Source(prefix=bucket, after=bucket + "a.jpg")
    assert not any(read_steps(source, lambda _: None, allowing(bucket), enrols=False, count=1))


def test_items_are_counted_from_the_first_one(bucket: str) -> None:
    fill(bucket, "a.jpg", "b.jpg", "c.jpg")
    settings = allowing(bucket, bulk_max_items=2)
    source = Source(prefix=bucket, after=bucket + "a.jpg")
    found = [one for one in read_steps(source, lambda _: None, settings, enrols=False, count=1) if one]
    assert [one.error and one.error.code for one in found] == [None, "items_too_many"]


@pytest.mark.parametrize(("scheme", "package"), [("gs", "gcsfs"), ("az", "adlfs")])
def test_package_that_is_missing_is_named(scheme: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    [one] = entries(f"{scheme}://bucket/", allowing(f"{scheme}://bucket/"))
    assert one.error is not None and one.error.code == "package_missing"
    assert f"pip install {package}" in one.error.message
