"""Which folder names a picture's class: in archives, on the server, over HTTP and in local folders."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import httpx
import pytest
from archives import entries_of, make_tar, make_zip
from click.testing import CliRunner
from tiny import DEFAULT, TINY

from cli.class_folders import choose_classes
from cli.demo_pictures import split_folder
from cli.enroll import enroll
from cli.evaluate import evaluate
from cli.pictures import find_pictures
from core.collections import Rule
from core.errors import ExemplarError
from core.settings import Settings
from formats.class_folders import ClassFolders
from store.store import Store

CLASH = {"robin/images/a.jpg": b"one", "wren/images/b.jpg": b"two", "wren/images/c.jpg": b"three"}
PATH = "/v1/collections/things/bulk"
BOTH = "both folders 'robin/images' and 'wren/images' would become the class 'images'"


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for name, content in CLASH.items():
        (tmp_path / "album" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "album" / name).write_bytes(content)
    return tmp_path / "album"


@pytest.fixture
def things(store: Store) -> Store:
    store.collections.create("things", DEFAULT, Rule())
    return store


def bulk(
    http: httpx.Client, body: bytes, headers: dict[str, str] | None = None, **query: str
) -> httpx.Response:
    sent = {"Content-Type": "application/octet-stream", **(headers or {})}
    return http.post(PATH, params={"kind": "enroll", **query}, content=body, headers=sent)


@pytest.mark.parametrize("pack", [make_zip, make_tar])
def test_folders_of_one_name_in_two_places_are_not_merged_in_silence(pack) -> None:
    found = entries_of(pack(CLASH), enrols=True)
    assert [outcome for _, outcome in found] == [b"one", "class_ambiguous", "class_ambiguous"]
    assert found[1][0].error is not None and found[1][0].error.message.startswith(BOTH)
    assert [outcome for _, outcome in entries_of(pack(CLASH))] == [b"one", b"two", b"three"]


@pytest.mark.parametrize(
    ("chosen", "labels"), [("nearest", ["images"] * 3), ("top", ["robin", "wren", "wren"])]
)
def test_choice_names_the_class(chosen: str, labels: list[str], album: Path) -> None:
    rooted = Settings(roots=(str(album),))
    for found in (
        entries_of(make_zip(CLASH), enrols=True, class_from=chosen),
        entries_of(make_tar(CLASH), enrols=True, class_from=chosen),
        entries_of(folder=str(album), enrols=True, class_from=chosen, settings=rooted),
    ):
        assert [entry.label for entry, _ in found] == labels


def test_folder_of_the_server_is_refused_alike(album: Path) -> None:
    found = entries_of(folder=str(album), enrols=True, settings=Settings(roots=(str(album),)))
    assert [entry.error.code for entry, _ in found if entry.error is not None] == ["class_ambiguous"] * 2


def test_one_folder_in_two_spellings_is_one_folder() -> None:
    folders = ClassFolders()
    paths = [unicodedata.normalize(form, "birds/Möwe/a.jpg") for form in ("NFC", "NFD")]
    assert [folders.class_of(path) for path in paths] == ["Möwe", "Möwe"]
    assert folders.class_of("loose.jpg") is None
    assert ClassFolders("top").class_of("loose.jpg") is None
    assert ClassFolders("top").class_of("birds/robin/a.jpg") == "birds"


def test_rows_of_a_manifest_keep_their_labels() -> None:
    rows = b'{"path": "robin/images/a.jpg", "label": "x"}\n{"path": "wren/images/b.jpg", "label": "x"}'
    assert [entry.label for entry, _ in entries_of(make_zip(CLASH), rows, enrols=True)] == ["x", "x"]


@pytest.mark.parametrize("pack", [make_zip, make_tar])
def test_call_refuses_the_whole_upload_and_takes_a_choice(things: Store, local: httpx.Client, pack) -> None:
    answer = bulk(local, pack(CLASH))
    assert (answer.status_code, answer.json()["code"]) == (422, "class_ambiguous")
    assert BOTH in answer.json()["detail"] and "class_from=top" in answer.json()["detail"]
    assert local.get("/v1/jobs").json()["items"] == []
    assert bulk(local, pack(CLASH), class_from="top").status_code == 202
    assert bulk(local, pack(CLASH), class_from="nearest").status_code == 202
    assert bulk(local, pack(CLASH), kind="classify").status_code == 202
    assert bulk(local, pack(CLASH), class_from="other").json()["code"] == "request_invalid"


def test_dry_run_says_so_before_it_happens(things: Store, local: httpx.Client) -> None:
    found = bulk(local, make_zip(CLASH), dry_run="true").json()
    assert (found["failing"], found["problems"][0]["error"]["code"]) == (2, "class_ambiguous")
    found = bulk(local, make_zip(CLASH), dry_run="true", class_from="top").json()
    assert found["classes"] == [{"label": "robin", "items": 1}, {"label": "wren", "items": 2}]


def test_choice_belongs_to_what_an_idempotency_key_stands_for(things: Store, local: httpx.Client) -> None:
    key = {"Idempotency-Key": "one"}
    first = bulk(local, make_zip(CLASH), key, class_from="top").json()["id"]
    assert bulk(local, make_zip(CLASH), key, class_from="top").json()["id"] == first
    answer = bulk(local, make_zip(CLASH), key, class_from="nearest")
    assert answer.json()["code"] == "idempotency_conflict"


def test_local_folders_are_refused_until_a_choice_is_made(album: Path) -> None:
    pictures = find_pictures(album)
    with pytest.raises(ExemplarError) as caught:
        choose_classes(pictures, [album], None)
    assert caught.value.code == "class_ambiguous"
    assert BOTH in caught.value.message and "--class-from top" in caught.value.message
    assert {one.label for one in choose_classes(pictures, [album], "nearest")} == {"images"}
    assert {one.label for one in choose_classes(pictures, [album], "top")} == {"robin", "wren"}
    both = [album / "robin" / "images", album / "wren" / "images"]  # as a shell expands */images
    with pytest.raises(ExemplarError, match=str(both[1])):
        choose_classes(pictures, both, None)


def test_class_may_be_in_several_roots(tmp_path: Path) -> None:
    roots = [tmp_path / "2023", tmp_path / "2024"]
    for root in roots:
        (root / "robin").mkdir(parents=True)
        (root / "robin" / "a.png").write_bytes(b"")
    pictures = [picture for root in roots for picture in find_pictures(root)]
    assert [one.label for one in choose_classes(pictures, roots, None)] == ["robin", "robin"]


def test_local_folder_in_itself_has_a_name(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(album / "robin" / "images")
    pictures = find_pictures(Path("."))
    for chosen in (None, "nearest", "top"):
        assert [one.label for one in choose_classes(pictures, [Path(".")], chosen)] == ["images"]


@pytest.mark.usefixtures("light")
def test_commands_say_so_before_they_do_anything(album: Path) -> None:
    for command, arguments in (
        (enroll, [str(album), "-c", "birds", "--url", "http://127.0.0.1:9"]),
        (evaluate, ["--support", str(album), "--query", str(album), "--encoder", TINY, "--threads", "1"]),
    ):
        result = CliRunner().invoke(command, arguments)
        assert isinstance(result.exception, ExemplarError), result.output
        assert BOTH in result.exception.message
    with pytest.raises(ExemplarError, match="would become the class 'images'"):
        split_folder(album)
    with pytest.raises(ExemplarError, match="two or more folders of two or more"):  # robin has only one
        split_folder(album, "top")


def test_thumbnails_and_bins_are_no_local_classes(album: Path) -> None:
    for folder in (
        "@eaDir",
        "#recycle",
        "$RECYCLE.BIN",
        "__MACOSX",
        ".thumbnails",
        "robin/images/@eaDir/a.jpg",
    ):
        os.makedirs(album / folder)
        (album / folder / "thumb.jpg").write_bytes(b"x")
    (album / "robin" / "images" / "._a.jpg").write_bytes(b"x")
    (album / "robin" / "images" / "Thumbs.db").write_bytes(b"x")
    found = choose_classes(find_pictures(album), [album], "top")
    assert [(one.label, one.path.name) for one in found] == [
        ("robin", "a.jpg"), ("wren", "b.jpg"), ("wren", "c.jpg")
    ]  # fmt: skip
