"""The parts of `exemplar tag` that need no service: the journal, uploads, sidecars, names."""

from __future__ import annotations

import io
import json
import os
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.raw_files import MAKERS
from benchmarks.scenes import encoded, scene
from cli.sending import content_to_send
from cli.tag.actions import Actions, Wanted
from cli.tag.batch import Batch
from cli.tag.command import _go
from cli.tag.journal import Journal
from cli.tag.listing import Kind, Listed, list_paths
from cli.tag.rows import Output, failed_row, read_rows, row_of
from cli.tag.run import Pace, Run
from cli.tag.show import Show
from cli.tag.sidecar import (
    labels_to_write,
    remove_own_sidecar,
    sidecar,
    sidecar_of,
    sidecar_path,
    write_sidecar,
)
from cli.tag.sort import By, folders_of, names_for, place, safe_name
from cli.tag.upload import zip_parts
from core.errors import ExemplarError
from core.pictures import decode_picture

Digits = Callable[[int, int], bytes]
JournalOf = Callable[[Path | str, list[Listed]], Journal]
FAILED = ExemplarError("picture_unreadable", "no")


@pytest.fixture
def files(tmp_path: Path) -> list[Listed]:
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(5):
        (folder / f"{n}.png").write_bytes(bytes([n]) * 1000)
    return list(list_paths([folder]))


@pytest.fixture
def journal_of() -> Iterator[JournalOf]:
    """Opens journals that contain pictures."""
    journals = []

    def make(path: Path | str, files: list[Listed]) -> Journal:
        journals.append(Journal(str(path)))
        journals[-1].add(files)
        return journals[-1]

    yield make
    for journal in journals:
        journal.close()


def test_batches_are_bounded_by_number_and_bytes(files: list[Listed], journal_of: JournalOf) -> None:
    journal = journal_of("", [*files, Listed("/a.zip", "a.zip", Kind.ARCHIVE, size=10)])
    sizes = []
    while batch := journal.cut(3, 2500):
        sizes.append(len(batch.pictures))
    assert sizes == [2, 2, 1, 1]


def test_journal_knows_after_its_end_what_is_open(
    tmp_path: Path, files: list[Listed], journal_of: JournalOf
) -> None:
    journal = journal_of(tmp_path / "j", files)
    first, second = journal.cut(2, 10_000), journal.cut(2, 10_000)
    assert first is not None and second is not None
    journal.accepted(first, "job1")
    journal.wrote(first, next_item=2, cursor=None, done=True, tally={"done": 2})
    journal.accepted(second, "job2")
    journal.wrote(second, next_item=1, cursor="abc", done=False, tally={"done": 3})
    journal.close()
    again = journal_of(tmp_path / "j", files)
    [batch] = again.open_batches()
    assert (batch.job, batch.cursor, batch.next_item, batch.key) == ("job2", "abc", 1, second.key)
    assert batch.pictures == second.pictures
    assert again.get("tally") == {"done": 3}
    left = again.cut(10, 10_000)
    assert left is not None and [one.shown for _, one in left.pictures] == [files[4].shown]


def test_journal_serves_one_run_at_a_time(tmp_path: Path, files: list[Listed], journal_of: JournalOf) -> None:
    journal = journal_of(tmp_path / "j", files)
    with pytest.raises(ExemplarError, match="another exemplar tag") as raised:
        Journal(str(tmp_path / "j"))
    assert raised.value.code == "tag_running"
    journal.close()
    (tmp_path / "other").write_text("my diary, which is no journal of a run" * 100)
    with pytest.raises(ExemplarError) as raised:
        Journal(str(tmp_path / "other"))
    assert raised.value.code == "journal_invalid"


def test_changes_since_the_run_was_begun_are_counted(
    tmp_path: Path, files: list[Listed], journal_of: JournalOf
) -> None:
    journal = journal_of("", files)
    journal.cut(2, 10_000)
    folder = tmp_path / "in"
    (folder / "0.png").write_bytes(b"other")  # sent
    (folder / "3.png").write_bytes(b"other")  # not sent yet, so its current content is sent
    (folder / "4.png").unlink()
    (folder / "5.png").write_bytes(b"new")
    changes = journal.add(list_paths([folder, folder / "0.png"]))
    assert (changes.twice, changes.new, changes.gone, changes.changed) == (1, 1, 1, 1)


def test_same_pictures_are_the_same_upload_and_in_order(tmp_path: Path, files: list[Listed]) -> None:
    (tmp_path / "in" / "1.png").unlink()
    pictures = [*files, Listed("https://example.org/1.jpg", "https://example.org/1.jpg", Kind.URL)]
    upload = b"".join(zip_parts(pictures))
    assert upload == b"".join(zip_parts(pictures))
    with zipfile.ZipFile(io.BytesIO(upload)) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist() == ["0", "2", "3", "4", "manifest.jsonl"]
        rows = [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]
    assert [row.get("path", row.get("url")) for row in rows] == [*"01234", "https://example.org/1.jpg"]


def test_large_picture_is_sent_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(os.urandom(10 << 20))
    parts = list(zip_parts(list(list_paths([path]))))
    assert max(map(len, parts)) < 3 << 20
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        assert archive.read("0") == path.read_bytes()


def test_circle_of_folders_is_walked_once_and_the_tree_by_class_not(tmp_path: Path, digits: Digits) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "tree").mkdir()
    for folder in ("a", "tree"):
        (tmp_path / folder / "1.png").write_bytes(digits(0, 0))
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "a" / "pipe.png")
    found = list(list_paths([tmp_path], without=tmp_path / "tree"))
    names = {Path(one.place).name: one.problem and one.problem.code for one in found}
    assert names == {"1.png": None, "pipe.png": "picture_unreadable"}


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl"])
def test_output_that_others_have_changed_is_not_gone_on_with(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    row = failed_row(Listed("a", "a"), FAILED)
    output = Output(path)
    output.open(None)
    written = output.append([row] * 100)
    output.append([row])
    output.finish()
    output = Output(path)
    output.open(written)
    output.finish()
    assert path.stat().st_size == written["size"]
    path.write_bytes(path.read_bytes().replace(b"picture", b"Picture"))
    with pytest.raises(ExemplarError, match="was changed since the interrupted run"):
        Output(path).open(written)
    path.unlink()
    with pytest.raises(ExemplarError, match="is missing"):
        Output(path).open(written)


class Refused:
    """Uploads of a service that takes none."""

    def start(self, batch: Batch) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(ExemplarError("forbidden", f"not {len(batch.pictures)} pictures from you"))
        return future


def test_refused_run_leaves_its_output_closed(
    tmp_path: Path, files: list[Listed], journal_of: JournalOf
) -> None:
    show, journal, output = Show(quiet=True), journal_of(":memory:", files), Output(tmp_path / "r.csv")
    output.open(None)
    actions = Actions(Wanted("things"), journal, show)
    run = Run(None, journal, output, actions=actions, uploads=Refused(), show=show)
    assert _go(run, output, Pace(8, 1, 0.0), show) == "not 5 pictures from you (forbidden)"
    assert str(output.path) not in {file.path for file in psutil.Process().open_files()}
    assert output.path.read_text().startswith("path,")


def test_own_sidecar_is_renewed_and_one_that_others_changed_is_kept(tmp_path: Path) -> None:
    picture = str(tmp_path / "a.jpg")
    content = sidecar("things", ["<cat> & dog|bird"], 0.5)
    assert write_sidecar(picture, content, overwrite=False)
    assert write_sidecar(picture, content, overwrite=False)
    path = Path(sidecar_path(picture))
    edited = path.read_text().replace('xmptk="Exemplar"', 'xmptk="XMP Core 6.0"')
    path.write_text(edited)
    assert not write_sidecar(picture, content, overwrite=False)
    assert path.read_text() == edited
    path.write_text("no XML")
    assert not write_sidecar(picture, content, overwrite=False)
    assert write_sidecar(picture, content, overwrite=True)
    assert path.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg.xmp"]
    remove_own_sidecar(picture)
    assert not path.exists()
    path.write_text(edited)
    remove_own_sidecar(picture)
    assert path.exists()


@given(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=128))
def test_every_label_is_a_safe_folder_of_its_own(label: str) -> None:
    name = safe_name(label)
    assert 0 < len(name.encode()) <= 255
    assert not set(name) & set('/\\:*?"<>|\0') and name not in (".", "..")
    assert name[0] not in "._ " and name[-1] not in ". "


def test_labels_that_look_alike_have_folders_of_their_own() -> None:
    labels = ["a/b", "a:b", "a%2Fb", "a b", "_unknown", "..", ".", "con", "con.x", "数" * 128, "数" * 127]
    assert len({safe_name(label).casefold() for label in labels}) == len(labels)


@pytest.mark.parametrize("by", By)
def test_pictures_of_one_name_are_all_placed(tmp_path: Path, by: By, journal_of: JournalOf) -> None:
    pictures = []
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        pictures.append(tmp_path / folder / ("1.jpg" if folder < "c" else "1.JPG"))
        pictures[-1].write_text(folder)
    tree = tmp_path / "tree"
    journal = journal_of("", [])

    def put() -> list[str]:
        wanted = {(n, "cat"): names_for(str(tree / "cat"), str(one)) for n, one in enumerate(pictures)}
        targets = journal.targets(wanted)
        for n, one in enumerate(pictures):
            place(str(one), targets[n, "cat"], by)
        return sorted(path.name for path in (tree / "cat").iterdir())

    names = put()
    assert len(names) == 3 and "1.jpg" in names
    assert {path.read_text() for path in (tree / "cat").iterdir()} == {"a", "b", "c"}
    assert put() == names  # like a run that was killed before it stored this


def tagged(*labels: str, decision: str = "known", **more: Any) -> dict[str, Any]:
    given = [{"label": label, "probability": 0.9, "decision": "yes"} for label in labels]
    unsure = {"label": "ball", "probability": 0.4, "decision": "unsure", "explanation": {"supports": []}}
    return {"status": "done", "decision": decision, "labels": [*given, unsure], "confidence": 0.9, **more}


def test_sidecar_has_every_label_and_its_levels() -> None:
    content = sidecar_of("photos", tagged("beach", "animal/dog|cat"))
    root = ET.fromstring(content or b"")
    found = [element.text for element in root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li")]
    assert found == ["beach", "animal/dog|cat", "photos|beach", "photos|animal|dog|cat"]
    assert labels_to_write(tagged("a", reviewed=True, final_labels=["b", "c"])) == ["b", "c"]
    assert labels_to_write(tagged("a", reviewed=True, final_labels=[])) == []
    assert sidecar_of("photos", tagged(decision="none")) is None
    assert labels_to_write(tagged("a", decision="ambiguous")) == []


def test_picture_of_several_labels_has_a_folder_for_each() -> None:
    assert folders_of(tagged("beach", "animal/dog")) == ["beach", "animal%2Fdog"]
    assert [folders_of(tagged(decision=one)) for one in ("ambiguous", "unknown", "none")] == [
        ["_ambiguous"], ["_unknown"], ["_none"],
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl", "r.parquet"])
def test_row_has_all_labels_with_their_probabilities(tmp_path: Path, name: str) -> None:
    output = Output(tmp_path / name)
    output.open(None)
    output.append([row_of(Listed("a", "a"), {**tagged("beach"), "candidates": []})])
    output.finish()
    [row] = read_rows(tmp_path / name)
    assert row["labels"] == [
        {"label": "beach", "probability": 0.9, "decision": "yes"},
        {"label": "ball", "probability": 0.4, "decision": "unsure"},
    ]
    assert row["label"] is None


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl", "r.parquet"])
def test_row_has_the_part_that_decided_a_label(tmp_path: Path, name: str) -> None:
    part = {"x": 0.4, "y": 0.0, "width": 0.6, "height": 0.6}
    answer = tagged("beach", "dog")
    answer["labels"][0]["part"], answer["labels"][1]["part"] = part, None
    output = Output(tmp_path / name)
    output.open(None)
    output.append([row_of(Listed("a", "a"), {**answer, "candidates": []})])
    output.finish()
    [row] = read_rows(tmp_path / name)
    parts = [one.get("part") for one in row["labels"]]
    assert parts == [None if name.endswith(".parquet") else part, None, None]


@pytest.mark.parametrize("by", By)
def test_picture_of_several_labels_is_sorted_by_links(
    tmp_path: Path, by: By, journal_of: JournalOf, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, tree = tmp_path / "a.jpg", tmp_path / "tree"
    picture.write_bytes(b"picture")
    listed = Listed(str(picture), "a.jpg")
    row = row_of(listed, tagged("beach", "dog"))
    actions = Actions(Wanted("photos", sort_into=tree, by=by), journal_of("", [listed]), Show(quiet=True))
    assert actions.do([((1, listed), row)]) == {"sorted": 1}
    assert actions.do([((1, listed), row)]) == {"sorted": 1}
    found = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.jpg"))
    assert found == ["beach/a.jpg", "dog/a.jpg"]
    assert (tree / "beach/a.jpg").samefile(tree / "dog/a.jpg")
    assert (tree / "beach/a.jpg").samefile(picture) is (by is not By.COPY)
    assert (tree / "dog/a.jpg").is_symlink() is (by is By.SYMLINK)


def test_of_camera_raw_the_preview_is_sent(tmp_path: Path) -> None:
    preview, thumbnail = (encoded(scene(size), "JPEG") for size in ((800, 600), (160, 120)))
    raw = MAKERS["NEF"](preview, thumbnail, 6) + bytes(1_000_000)
    for name, content in (("a.NEF", raw), ("b.nef", b"no raw file"), ("c.jpg", preview)):
        (tmp_path / name).write_bytes(content)
    whole = b"".join(zip_parts(list(list_paths([tmp_path]))))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        first, second, third = (archive.read(str(number)) for number in range(3))
    assert decode_picture(first, max_pixels=10**6).size == (600, 800) and len(first) < len(preview) + 100
    assert (second, third) == (b"no raw file", preview)
    assert content_to_send(tmp_path / "a.NEF") == first


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ({"decision": "known", "label": "a"}, "a"),
        ({"decision": "ambiguous", "label": "a"}, None),
        ({"decision": "known", "label": "a", "final_label": "b", "reviewed": True}, "b"),
        ({"decision": "unknown", "label": None, "final_label": "b", "reviewed": True}, "b"),
        ({"decision": "known", "label": "a", "final_label": None, "reviewed": True}, None),
    ],
)
def test_sidecar_carries_what_a_person_said(answer: dict[str, object], label: str | None) -> None:
    assert labels_to_write(answer) == ([] if label is None else [label])


def test_output_has_no_columns_of_reviews(tmp_path: Path) -> None:
    for name in ("out.csv", "out.jsonl"):
        output = Output(tmp_path / name)
        output.open(None)
        output.append([{**failed_row(Listed("/a", "a"), FAILED), "final_label": "b", "reviewed": True}])
        output.finish()
        assert "final_label" not in (tmp_path / name).read_text()


def test_rows_say_whether_a_label_needs_no_person(tmp_path: Path) -> None:
    answers = [
        {"status": "done", "automatic": True},
        {"status": "done", "automatic": False},
        {"status": "done"},
    ]
    rows = [row_of(Listed(f"{n}.png", f"{n}.png"), answer) for n, answer in enumerate(answers)]
    for form in (".csv", ".jsonl"):
        out = Output(tmp_path / f"r{form}")
        out.open(None)
        out.append(rows)
        out.finish()
        assert [row["automatic"] for row in read_rows(out.path)] == [True, False, None]
