"""Files that are replaced whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.files import replacing


@pytest.fixture(params=["durable", "quick"])
def durable(request: pytest.FixtureRequest) -> bool:
    return request.param == "durable"


def test_file_is_replaced_once_its_draft_is_complete(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path, durable=durable) as draft:
        Path(draft).write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_failure_leaves_the_old_file_and_no_draft(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path, durable=durable) as draft:
        Path(draft).write_text("ne")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_draft_that_is_a_link_to_the_same_file_is_removed(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    path.write_text("same")
    with replacing(path, durable=durable) as draft:
        os.link(path, draft)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_only_a_durable_file_is_synced_and_so_is_its_folder(
    tmp_path: Path, durable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with replacing(tmp_path / "file", durable=durable) as draft:
        Path(draft).write_text("new")
    assert len(synced) == (2 if durable else 0)
