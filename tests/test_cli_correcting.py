"""Commands that correct a collection: what they change, what they ask, and what they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from test_cli_commands import run

from cli.stack import Stack

pytestmark = pytest.mark.processes

Command = Callable[..., str]


@pytest.fixture
def command(service: Stack) -> Command:
    """A command of the running service that has to end well; gives what it printed."""

    def do(*arguments: str) -> str:
        answer = run(*arguments, url=service.url)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return do


@pytest.fixture
def birds(command: Command, photos: Path) -> str:
    """A collection with two classes of four pictures."""
    name = f"c-{uuid4().hex[:8]}"
    command("enroll", str(photos), "-c", name)
    return name


def counts(http: httpx.Client, collection: str) -> dict[str, int]:
    found = http.get(f"/v1/collections/{collection}/classes").json()["items"]
    return {one["label"]: one["supports"] for one in found}


def test_class_is_renamed_merged_and_deleted(http: httpx.Client, command: Command, birds: str) -> None:
    assert command("classes", "rename", "digit 3", "a/b", "-c", birds) == "digit 3 is now a/b (4 pictures)\n"
    merged = command("classes", "merge", "a/b", "--into", "digit 4", "-c", birds, "--yes")
    assert merged == "merged a/b into digit 4 (8 pictures)\n"
    assert counts(http, birds) == {"digit 4": 8}
    assert command("classes", "delete", "digit 4", "-c", birds, "-y") == "deleted digit 4 (8 pictures)\n"
    assert counts(http, birds) == {}


def test_support_is_listed_moved_and_removed(http: httpx.Client, command: Command, birds: str) -> None:
    [first, second] = json.loads(command("supports", "list", "-c", birds, "--limit", "2", "--json"))
    assert (first["label"], first["external_id"]) == ("digit 3", "digit 3/0.png")
    assert "digit 4/3.png" in command("supports", "list", "-c", birds, "--label", "digit 4")
    moved = command("supports", "move", f"#{first['id']}", "-c", birds, "--to", "digit 4")
    assert moved == f"#{first['id']} digit 3/0.png is now of class digit 4\n"
    removed = command("supports", "remove", str(second["id"]), "-c", birds, "--yes")
    assert removed == f"removed #{second['id']} digit 3/1.png from digit 3\n"
    assert counts(http, birds) == {"digit 3": 2, "digit 4": 5}


def test_collection_is_deleted(http: httpx.Client, command: Command, birds: str) -> None:
    assert command("collections", "delete", birds, "--yes") == f"deleted {birds} (2 classes, 8 pictures)\n"
    assert http.get(f"/v1/collections/{birds}").status_code == 404


@pytest.mark.parametrize(
    "arguments",
    [
        ("collections", "delete", "NAME"),
        ("classes", "delete", "digit 3", "-c", "NAME"),
        ("classes", "merge", "digit 3", "--into", "digit 4", "-c", "NAME"),
    ],
)
def test_without_a_terminal_nothing_is_deleted_unless_confirmed(
    service: Stack, http: httpx.Client, birds: str, arguments: tuple[str, ...]
) -> None:
    answer = run(*(birds if part == "NAME" else part for part in arguments), url=service.url)
    assert answer.returncode == 2
    assert "not_confirmed" in answer.stderr and "pictures)" in answer.stderr and "--yes" in answer.stderr
    assert counts(http, birds) == {"digit 3": 4, "digit 4": 4}


def test_one_that_is_missing_keeps_the_others(service: Stack, http: httpx.Client, birds: str) -> None:
    answer = run("classes", "delete", "digit 3", "digit 44", "-c", birds, "--yes", url=service.url)
    assert answer.returncode == 2
    assert "class_not_found" in answer.stderr and "did you mean digit 4" in answer.stderr
    assert counts(http, birds) == {"digit 3": 4, "digit 4": 4}


def test_mistyped_collection_and_encoder_are_answered_with_what_may_be_meant(
    service: Stack, birds: str
) -> None:
    answer = run("report", "-c", birds[:-1], url=service.url)
    assert (answer.returncode, f"did you mean {birds}" in answer.stderr) == (2, True)
    answer = run("collections", "create", "other", "--encoder", "efficientnet_lite", url=service.url)
    assert (answer.returncode, "did you mean efficientnet_lite0" in answer.stderr) == (2, True)


def test_answers_and_reports_name_the_files_that_were_enrolled(
    command: Command, birds: str, photos: Path
) -> None:
    file = str(photos / "digit 3" / "0.png")
    assert "digit 3/0.png (" in command("classify", file, "-c", birds)
    answer = json.loads(command("classify", file, "-c", birds, "--json"))
    assert answer["neighbours"][0]["external_id"] == "digit 3/0.png"
    assert {one["external_id"].split("/")[0] for one in answer["explanation"]["supports"]} == {"digit 3"}
    command("enroll", file, "-c", birds, "--label", "digit 4")
    assert "digit 3 (digit 3/0.png), #" in command("report", "-c", birds)


def test_supports_are_described_and_answers_filtered(command: Command, birds: str, photos: Path) -> None:
    first, *_ = json.loads(command("supports", "list", "-c", birds, "--json"))
    said = ("--metadata", "site=north", "--metadata", "year=2026", "--external-id", "x")
    changed = json.loads(command("supports", "describe", str(first["id"]), "-c", birds, *said, "--json"))
    assert (changed["metadata"], changed["external_id"]) == ({"site": "north", "year": 2026}, "x")
    where = ("--where", "site=north", "--where", "site=south", "--where", "year=2026")
    [found] = json.loads(command("supports", "list", "-c", birds, *where, "--json"))
    assert found["id"] == first["id"]
    picture = next(photos.rglob("*.png"))
    answer = json.loads(command("classify", str(picture), "-c", birds, *where, "--json"))
    assert [one["external_id"] for one in answer["neighbours"]] == ["x"]
    command("supports", "describe", str(first["id"]), "-c", birds, "--metadata", "site=", "--external-id", "")
    assert json.loads(command("supports", "list", "-c", birds, *where, "--json")) == []


def test_files_of_a_glob_need_their_label(service: Stack, command: Command, photos: Path) -> None:
    name = f"c-{uuid4().hex[:8]}"
    files = [str(path) for path in sorted((photos / "digit 3").iterdir())]
    answer = run("enroll", *files, "-c", name, url=service.url)
    assert answer.returncode == 2
    assert "label_missing" in answer.stderr and "--label" in answer.stderr and files[0] in answer.stderr
    assert command("enroll", *files, files[0], "-c", name, "--label", "three") == (
        f"4 enrolled in 1 class of {name}, 0 already there, 0 failed\n"
    )
    assert run("enroll", *files, "-c", name, "--label", " ", url=service.url).returncode == 2


def test_folders_of_a_glob_are_classes_which_is_said_before(service: Stack, photos: Path) -> None:
    name = f"c-{uuid4().hex[:8]}"
    answer = run("enroll", str(photos / "digit 3"), str(photos / "digit 4"), "-c", name, url=service.url)
    assert answer.stderr.startswith(
        "classes named after their folders, without --label: 'digit 3' (4), 'digit 4' (4)\n"
        f"creating the collection {name}"  # and perhaps another one that is named almost so
    )
    assert "8 enrolled in 2 classes" in answer.stdout
    shown = run("supports", "list", "-c", name, url=service.url).stdout
    assert "digit 3/0.png" in shown and "digit 4/0.png" in shown
