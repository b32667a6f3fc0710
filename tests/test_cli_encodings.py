"""File names and consoles that cannot hold every text."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from uuid import uuid4

import pytest
from test_cli_commands import run, run_process

from cli.stack import Stack

pytestmark = pytest.mark.processes

BAD = os.fsdecode(b"caf\xe9")
GULL = "Чайка"


@pytest.fixture
def album(photos: Path, tmp_path: Path) -> Path:
    """Two classes, one of whose folders has a name that is not UTF-8, and a file of such a name."""
    album = tmp_path / "album"
    for name, file in ((BAD, "0.png"), (GULL, "0.png"), (GULL, f"{BAD}.png")):
        (album / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(photos / ("digit 3" if name == BAD else "digit 4") / "0.png", album / name / file)
    (album / GULL / f"{BAD}.png").write_bytes((photos / "digit 4" / "1.png").read_bytes())
    return album


def test_file_names_that_are_not_utf_8_are_enrolled_and_classified(service: Stack, album: Path) -> None:
    name = f"c-{uuid4().hex[:8]}"
    enrolled = run_process("enroll", str(album), "-c", name, url=service.url)
    assert "2 enrolled" in enrolled.stdout and "1 failed" in enrolled.stdout
    assert "album/caf\\xe9/0.png" in enrolled.stderr and "label_invalid" in enrolled.stderr
    listed = json.loads(run("supports", "list", "-c", name, "--json", url=service.url).stdout)
    assert [one["external_id"] for one in listed] == [f"{GULL}/0.png", f"{GULL}/caf\\xe9.png"]
    named = run("classify", str(album / GULL), "-c", name, "--json", url=service.url)
    assert [json.loads(line)["file"] for line in named.stdout.splitlines()] == [
        f"{album}/{GULL}/0.png",
        f"{album}/{GULL}/caf\\xe9.png",
    ]
    for run_one, form in ((run, "--csv"), (run_process, None)):
        arguments = ("classify", str(album), "-c", name, *filter(None, [form]))
        answer = run_one(*arguments, url=service.url, COLUMNS="400")
        assert answer.returncode == 0, answer.stderr
        assert "/caf\\xe9/0.png" in answer.stdout and f"{GULL}/caf\\xe9.png" in answer.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_console_that_cannot_show_a_label_shows_it_escaped(
    service: Stack, photos: Path, encoding: str
) -> None:
    name, file = f"c-{uuid4().hex[:8]}", str(photos / "digit 3" / "0.png")
    run("enroll", file, "-c", name, "--label", GULL, url=service.url)
    escaped = GULL.encode("ascii", "backslashreplace").decode()
    answer = run_process("classify", file, "-c", name, url=service.url, PYTHONIOENCODING=encoding, LANG="C")
    assert answer.returncode == 0, answer.stderr
    assert escaped in answer.stdout
    for arguments in (("classes", "list"), ("supports", "list")):
        answer = run(*arguments, "-c", name, url=service.url, encoding=encoding)
        assert answer.returncode == 0, answer.stderr
        assert escaped in answer.stdout
    for arguments in (("report", "-c", name), ("classify", file, "-c", name, "--csv")):
        answer = run(*arguments, url=service.url, encoding=encoding)
        assert (answer.returncode, "Traceback" in answer.stderr) == (0, False)
        assert escaped in answer.stdout or GULL in answer.stdout  # click writes UTF-8 in place of ASCII


def test_argument_that_is_not_utf_8_is_one_line(service: Stack, photos: Path) -> None:
    name = f"c-{uuid4().hex[:8]}"
    for run_one, *arguments in (
        (run_process, "enroll", str(photos), "-c", name, "--label", BAD),
        (run, "classes", "add", BAD, "-c", name),
        (run, "classes", "rename", BAD, "x", "-c", name),
        (run, "collections", "create", BAD),
    ):
        answer = run_one(*arguments, url=service.url)
        assert answer.returncode == 2, arguments
        assert answer.stderr.startswith("exemplar: ") and "Traceback" not in answer.stderr
