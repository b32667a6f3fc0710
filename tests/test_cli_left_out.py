"""No file vanishes: commands count what is no picture, by what it is, and say so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from archives import entries_of, make_tar, make_zip
from click.testing import CliRunner
from test_cli_commands import run
from tiny import TINY

from cli.evaluate import evaluate
from cli.folders import embed_folder
from cli.left_out import LeftOut, what_is
from cli.pictures import find_pictures
from cli.stack import Stack
from cli.tag.listing import list_paths
from core.errors import ExemplarError
from core.jobs import Source
from core.settings import Settings
from encoders import open_encoder
from formats.entries import read_entries

Digits = Callable[[int, int], bytes]
OTHERS = ("a.mp4", "b.MKV", "c.webm", "Thumbs.db", ".hidden", "notes.txt", "list.TXT", "raw.xmp", "README")
COUNTS = {
    "video": 3, "TXT file": 2, "Thumbs.db": 1, "hidden file": 1, "sidecar": 1, "file without a suffix": 1,
}  # fmt: skip


@pytest.fixture
def album(tmp_path: Path, digits: Digits) -> Path:
    """A folder as a phone and a person leave it: two pictures, one of them live, and nine other files."""
    folder = tmp_path / "album" / "cat"
    folder.mkdir(parents=True)
    for name in ("IMG_1.jpg", "IMG_2.heif"):
        (folder / name).write_bytes(digits(3, 0))
    (folder / "img_1.MOV").write_bytes(b"film")
    for name in OTHERS:
        (folder / name).write_bytes(b"x")
    return folder.parent


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.psd", "PSD file"),
        ("a.MOV", "video"),
        ("Desktop.ini", "Desktop.ini"),
        (".DS_Store", "hidden file"),
        ("a.AAE", "sidecar"),
        ("a.", "file without a suffix"),
    ],
)
def test_file_is_called_what_people_call_it(name: str, what: str) -> None:
    assert what_is(name) == what


def test_folder_is_counted_by_what_is_in_it(album: Path) -> None:
    (album / ".git").mkdir()
    left_out = LeftOut()
    assert [picture.path.name for picture in find_pictures(album, left_out)] == ["IMG_1.jpg", "IMG_2.heif"]
    assert left_out.counts == {**COUNTS, "hidden folder": 1}
    assert left_out.live_photos == 1


def test_text_names_them_with_their_numbers() -> None:
    left_out = LeftOut()
    left_out.add("video", 3)
    left_out.add("Thumbs.db")
    assert str(left_out) == "left out: 3 videos, 1 Thumbs.db"
    left_out = LeftOut(live_photos=2)
    assert str(left_out) == "2 Live Photos taken as pictures, without the videos"
    left_out.add("file without a suffix", 2)
    assert str(left_out).startswith("left out: 2 files without a suffix; 2 Live")
    assert LeftOut.of(json.loads(json.dumps(left_out.as_json()))) == left_out
    assert not LeftOut()


def test_tag_lists_the_same(album: Path) -> None:
    left_out = LeftOut()
    listed = list(list_paths([album], left_out=left_out))
    assert len(listed) == 2 and left_out.counts == COUNTS and left_out.live_photos == 1


def test_video_that_is_named_fails_as_one_and_not_where_it_is_live(album: Path) -> None:
    left_out = LeftOut()
    names = ("IMG_1.jpg", "a.mp4", "img_1.MOV")
    one, video = list_paths([album / "cat" / name for name in names], left_out=left_out)
    assert one.problem is None and left_out.live_photos == 1
    assert video.problem is not None and video.problem.message == "a video (MP4); videos are not read"


def test_album_without_a_picture_says_what_it_holds(tmp_path: Path) -> None:
    for name in ("a.mov", "b.mov", "c.psd"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ExemplarError, match="found none; left out: 2 videos, 1 PSD file") as caught:
        embed_folder(open_encoder(TINY, device="cpu", runtime="torch"), tmp_path)
    assert caught.value.code == "picture_missing"


@pytest.mark.usefixtures("light")
def test_evaluate_says_it_beside_its_figures(album: Path, digits: Digits) -> None:
    for n in range(3):
        (album / "cat" / f"{n}.png").write_bytes(digits(3, n))
    arguments = ["--support", str(album), "--query", str(album), "--encoder", TINY, "--threads", "1"]
    done = CliRunner().invoke(evaluate, [*arguments, "--json"])
    assert "left out: 6 videos" in done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["left_out"]["video"], outcome["live_photos"]) == (6, 2)


@pytest.mark.processes
def test_commands_say_it_in_words_and_as_json(service: Stack, album: Path) -> None:
    name = f"c-{uuid4().hex[:8]}"
    (album / "loose.png").write_bytes((album / "cat" / "IMG_1.jpg").read_bytes())
    said = run("enroll", str(album), "-c", name, url=service.url)
    assert "left out: 3 videos, 2 TXT files" in said.stdout
    assert "1 Live Photo taken as a picture" in said.stdout
    assert "1 picture beside the folders of classes" in said.stdout
    told = run("enroll", str(album), "-c", name, "--json", url=service.url).stdout.splitlines()
    assert json.loads(told[-1])["left_out"]["video"] == 3
    asked = run("classify", str(album), "-c", name, "--json", url=service.url)
    assert "left out: 3 videos" in asked.stderr
    assert json.loads(asked.stdout.splitlines()[-1])["live_photos"] == 1
    out = str(album.parent / "rows.csv")
    plan = run("tag", str(album), "-c", name, "--out", out, "--dry-run", url=service.url)
    assert "left out: 3 videos" in plan.stdout
    tagged = run("tag", str(album), "-c", name, "--out", out, "--json", url=service.url)
    assert json.loads(tagged.stdout)["left_out"] == COUNTS
    empty = album.parent / "films"
    empty.mkdir()
    (empty / "a.mov").write_bytes(b"x")
    none = run("tag", str(empty), "-c", name, "--out", str(empty / "rows.csv"), url=service.url)
    assert none.returncode == 1 and "found none; left out: 1 video" in none.stderr


def test_video_in_an_archive_is_named_and_one_of_a_live_photo_is_passed_over() -> None:
    files = {"cat/1.jpg": b"one", "cat/2.mov": b"film", "cat/1.MOV": b"film"}
    assert [outcome for _, outcome in entries_of(make_zip(files))] == [b"one", "picture_unreadable"]
    assert [outcome for _, outcome in entries_of(make_tar(files))] == [
        b"one", "picture_unreadable", "picture_unreadable",
    ]  # fmt: skip


def test_video_in_a_folder_of_the_server_is_named_and_a_live_one_passed_over(album: Path) -> None:
    settings = Settings(roots=(str(album),))
    found = list(read_entries(Source(folder="cat"), lambda _: pytest.fail("no file"), settings, enrols=False))
    videos = [entry.custom_id for entry in found if entry.error is not None]
    assert videos == ["a.mp4", "b.MKV", "c.webm"]
    assert "img_1.MOV" not in {entry.custom_id for entry in found}
