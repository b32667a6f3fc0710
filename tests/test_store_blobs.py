"""Blobs, on a local folder and on another fsspec file system."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from core.errors import ExemplarError
from store.blobs import PICTURES, Blobs, uploads_of


@pytest.fixture(params=["file", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    root = f"/{uuid4().hex}"
    yield Blobs(f"memory:/{root}" if request.param == "memory" else f"file://{tmp_path}/blobs")
    if request.param == "memory" and fsspec.filesystem("memory").exists(root):
        fsspec.filesystem("memory").rm(root, recursive=True)


def code_of(call: object, *arguments: object) -> str:
    with pytest.raises(ExemplarError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.code


def test_bytes_come_back_by_their_digest(blobs: Blobs) -> None:
    digest = blobs.put(PICTURES, b"a picture")
    assert digest == hashlib.sha256(b"a picture").hexdigest()
    assert blobs.get(PICTURES, digest) == b"a picture"


def test_same_bytes_are_kept_once(blobs: Blobs) -> None:
    assert blobs.put(PICTURES, b"a picture") == blobs.put(PICTURES, b"a picture")


def test_missing_bytes_are_not_found(blobs: Blobs) -> None:
    assert code_of(blobs.get, PICTURES, "0" * 64) == "blob_not_found"


@pytest.mark.parametrize(
    "digest", ["", "../../etc/passwd", "0" * 63 + "/", "0" * 64 + "\n", "A" * 64, "/" + "0" * 63, "0" * 65]
)
def test_name_that_is_no_digest_is_refused(blobs: Blobs, digest: str) -> None:
    assert code_of(blobs.get, PICTURES, digest) == "blob_not_found"


def test_folder_goes_with_all_its_blobs_and_no_other(blobs: Blobs) -> None:
    gone = [blobs.put(uploads_of("job1"), bytes([n])) for n in range(3)]
    kept = blobs.put(uploads_of("job10"), b"kept")
    blobs.remove_folder(uploads_of("job1"))
    assert {code_of(blobs.get, uploads_of("job1"), digest) for digest in gone} == {"blob_not_found"}
    assert blobs.get(uploads_of("job10"), kept) == b"kept"


def test_removing_what_is_not_there_is_no_error(blobs: Blobs) -> None:
    blobs.remove_folder(uploads_of("nothing"))


def test_many_may_remove_the_same_folders_at_once(blobs: Blobs) -> None:
    for n in range(50):
        blobs.put(uploads_of("job1"), bytes([n]))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(blobs.remove_folder, [uploads_of("job1")] * 4))


def test_many_may_keep_the_same_bytes_at_once(blobs: Blobs) -> None:
    content = os.urandom(100_000)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(blobs.put, [PICTURES] * 16, [content] * 16))) == 1
    assert blobs.get(PICTURES, hashlib.sha256(content).hexdigest()) == content


def test_check_writes_and_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    blobs.check()
    blobs.check()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_local_folder_holds_complete_files_under_their_digests(tmp_path: Path) -> None:
    digest = Blobs(f"file://{tmp_path}").put(PICTURES, b"a picture")
    [file] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file == tmp_path / PICTURES / digest[:2] / digest
    assert file.read_bytes() == b"a picture"


def test_bytes_and_every_new_folder_are_synced_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync

    def record(handle: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        synced.append(kind)
        sync(handle)

    monkeypatch.setattr(os, "fsync", record)
    Blobs(f"file://{tmp_path}/new").put(PICTURES, b"a picture")
    assert synced == ["folder", "folder", "folder", "file", "folder"]


def test_full_disk_is_reported_and_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = Blobs(f"file://{tmp_path}")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    blobs.put(PICTURES, b"another")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExemplarError, match="No space left") as caught:
        blobs.put(PICTURES, b"a picture")
    assert (caught.value.code, caught.value.retry) == ("blobs_unavailable", True)
    assert code_of(blobs.check) == "blobs_unavailable"
    assert [path.name for path in tmp_path.rglob("*.part")] == []
