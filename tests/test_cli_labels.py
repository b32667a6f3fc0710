"""Commands about several labels a picture: what they enrol, change and print."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

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
def name() -> str:
    return f"c-{uuid4().hex[:8]}"


def labels(command: Command, name: str) -> list[tuple[list[str], bool]]:
    found: list[dict[str, Any]] = json.loads(command("supports", "list", "-c", name, "--json"))
    return [(one["labels"], one["complete"]) for one in found]


def test_pictures_are_enrolled_with_several_labels(command: Command, name: str, photos: Path) -> None:
    files = [str(photos / "digit 3" / f"{n}.png") for n in range(3)]
    printed = command("enroll", files[0], "-c", name, "--label", "animal/dog", "--label", "ball")
    assert printed == f"1 enrolled in {name}, 0 already there, 0 failed\n"
    command("enroll", files[1], "-c", name, "--label", "ball", "--complete")
    command("enroll", files[2], "-c", name, "--none")
    again = command("enroll", files[1], "-c", name, "--label", "beach")
    assert again == f"0 enrolled in {name}, 1 already there, 0 failed\n"
    assert labels(command, name) == [
        (["animal", "animal/dog", "ball"], False),
        (["ball", "beach"], True),
        ([], True),
    ]
    shown = command("supports", "list", "-c", name)
    assert "animal, animal/dog, ball" in shown and "ball, beach and no other" in shown
    assert "none of the labels" in shown


def test_folders_are_partial_labels(command: Command, name: str, photos: Path) -> None:
    made = command("collections", "create", name, "--labels", "many")
    assert "labels many" in made
    command("enroll", str(photos), "-c", name)
    assert labels(command, name) == [(["digit 3"], False)] * 4 + [(["digit 4"], False)] * 4


def test_labels_of_supports_are_changed(
    service: Stack,
    command: Command,
    name: str,
    photos: Path,
) -> None:
    files = [str(photos / "digit 3" / f"{n}.png") for n in range(2)]
    command("enroll", *files, "-c", name, "--label", "dog", "--label", "ball")
    first, second = (one["id"] for one in json.loads(command("supports", "list", "-c", name, "--json")))
    changed = command("supports", "label", str(first), "-c", name, "--add", "sea", "--remove", "ball")
    assert changed == f"#{first} 0.png is now dog, sea\n"
    command("supports", "label", str(first), str(second), "-c", name, "--set", "cat", "--complete")
    assert labels(command, name) == [(["cat"], True)] * 2
    command("supports", "label", f"#{second}", "-c", name, "--partial")
    assert labels(command, name) == [(["cat"], True), (["cat"], False)]
    emptied = run("supports", "label", str(second), "-c", name, "--remove", "cat", url=service.url)
    assert (emptied.returncode, "labels_invalid" in emptied.stderr) == (2, True)
    moved = run("supports", "move", str(second), "-c", name, "--to", "dog", url=service.url)
    assert (moved.returncode, "labels_invalid" in moved.stderr) == (2, True)
    removed = command("supports", "remove", str(second), "-c", name, "--yes")
    assert removed == f"removed #{second} 1.png: cat\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("supports", "label", "1", "-c", "c"),
        ("supports", "label", "1", "-c", "c", "--set", "a", "--add", "b"),
        ("enroll", "FILE", "-c", "c", "--none", "--label", "a"),
    ],
)
def test_options_that_contradict_are_refused(
    service: Stack, photos: Path, arguments: tuple[str, ...]
) -> None:
    file = str(photos / "digit 3" / "0.png")
    answer = run(*[file if one == "FILE" else one for one in arguments], url=service.url)
    assert answer.returncode == 2
    assert "--set" in answer.stderr or "--none" in answer.stderr
