"""`exemplar jobs`, what programs get, exit codes, and commands that work alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner
from services import LIGHT, as_environment
from test_cli_commands import run, run_process

from cli.client import Client
from cli.main import COMMANDS, exemplar
from cli.stack import Stack
from cli.work import run_jobs

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


@pytest.fixture
def name(service: Stack, photos: Path) -> str:
    """A collection with the photos in it."""
    name = f"c-{uuid4().hex[:8]}"
    assert run("enroll", str(photos), "-c", name, "--json", url=service.url).returncode == 0
    return name


def rows(*arguments: str, url: str) -> list[dict[str, object]]:
    done = run(*arguments, "--json", url=url)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_jobs_are_listed_shown_waited_for_and_read(
    service: Stack,
    name: str,
    photos: Path,
    tmp_path: Path,
) -> None:
    file = str(photos / "digit 3" / "0.png")
    run("classify", file, "-c", name, url=service.url)
    job = next(one for one in rows("jobs", "list", url=service.url) if one["collection"] == name)
    assert (job["kind"], job["state"]) == ("classify", "succeeded")
    shown = run("jobs", "show", str(job["id"]), url=service.url)
    assert "known" in shown.stdout or "unknown" in shown.stdout
    waited = run("jobs", "wait", str(job["id"]), url=service.url)
    assert waited.returncode == 0 and "succeeded" in waited.stdout
    lines = run("jobs", "results", str(job["id"]), url=service.url).stdout.splitlines()
    assert json.loads(lines[0])["status"] == "done"
    out = tmp_path / "out.csv"
    run("jobs", "results", str(job["id"]), "--format", "csv", "--out", str(out), url=service.url)
    assert out.read_text().startswith("item,")


def test_job_that_failed_is_retried_and_its_wait_says_so(
    service: Stack,
    name: str,
    photos: Path,
    tmp_path: Path,
) -> None:
    (photos / "digit 3" / "broken.png").write_text("no picture")
    assert run("classify", str(photos), "-c", name, url=service.url).returncode == 1
    job = next(one for one in rows("jobs", "list", url=service.url) if one["collection"] == name)
    assert job["state"] == "partial"
    assert rows("jobs", "retry", str(job["id"]), url=service.url)[0]["id"] == job["id"]
    waited = run("jobs", "wait", str(job["id"]), "--json", url=service.url)
    assert waited.returncode == 1 and json.loads(waited.stdout)[0]["state"] == "partial"
    refused = run("jobs", "pause", str(job["id"]), url=service.url)
    assert refused.returncode == 2 and "job_state_invalid" in refused.stderr


def test_lists_are_json_for_programs(service: Stack, name: str) -> None:
    labels = {one["label"] for one in rows("classes", "list", "-c", name, url=service.url)}
    assert labels == {"digit 3", "digit 4"}
    assert name in {one["name"] for one in rows("collections", "list", url=service.url)}
    changed = run("collections", "change", name, "--certainty", "0.7", "--json", url=service.url)
    assert json.loads(changed.stdout)["rule"]["certainty"] == 0.7


def test_pictures_next_to_class_folders_are_skipped_with_a_warning(
    service: Stack,
    photos: Path,
    digits: Digits,
) -> None:
    (photos / "loose.png").write_bytes(digits(9, 0))
    enrolled = run("enroll", str(photos), "-c", f"c-{uuid4().hex[:8]}", url=service.url)
    assert "8 enrolled in 2 classes" in enrolled.stdout and "skipping 1 pictures in" in enrolled.stderr


def test_folder_of_one_class_is_that_class(service: Stack, photos: Path) -> None:
    enrolled = run("enroll", str(photos / "digit 3"), "-c", f"c-{uuid4().hex[:8]}", url=service.url)
    assert "4 enrolled in 1 class " in enrolled.stdout


def test_file_that_cannot_be_read_fails_alone(service: Stack, name: str, photos: Path) -> None:
    gone, good = photos / "gone.png", photos / "digit 3" / "0.png"
    path = f"/v1/collections/{name}/classify"
    with closing(Client(service.url)) as client:
        results = dict(run_jobs(client, path, [(None, [gone, good])], "classifying"))
    assert results[gone]["error"]["code"] == "picture_unreadable"
    assert results[good]["status"] == "done"


def test_commands_work_alone_on_a_folder_and_it_stays_usable(tmp_path: Path, photos: Path) -> None:
    data = tmp_path / "data"
    alone = partial(run_process, **as_environment(LIGHT))
    enrolled = alone("enroll", str(photos), "-c", "things", "--local", str(data))
    assert "8 enrolled in 2 classes" in enrolled.stdout, enrolled.stderr
    out = tmp_path / "out.jsonl"
    tagged = alone("tag", str(photos), "-c", "things", "--out", str(out), "--quiet", "--local", str(data))
    assert tagged.returncode == 0, tagged.stderr
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(answers) == 8
    assert all(one["candidates"][0]["label"] == Path(one["path"]).parent.name for one in answers)
    left = subprocess.run(["pgrep", "-f", str(data)], capture_output=True, text=True).stdout
    assert left == ""


def test_no_service_is_exit_code_3_and_a_wrong_option_2(photos: Path) -> None:
    assert run("jobs", "list").returncode == 3
    wrong = run("jobs", "list", "--limit", "none")
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr
    assert run("jobs", "list", url="http://a:b").returncode == 2


def test_interrupt_is_quiet(tmp_path: Path) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "exemplar_service",
            "up",
            "--workers",
            "1",
            "--data",
            str(tmp_path),
            "--port",
            "0",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
    assert "Traceback" not in err and process.returncode in (0, 130)


def test_file_that_cannot_be_written_is_one_line(service: Stack, name: str, tmp_path: Path) -> None:
    place = tmp_path / "none" / "report.svg"
    answer = run("report", "-c", name, "--picture", str(place), url=service.url)
    assert answer.returncode == 2
    assert str(place) in answer.stderr and "Traceback" not in answer.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_printed_for_each_shell(shell: str) -> None:
    if shell == "bash" and not Path("/bin/bash").exists():
        pytest.skip("bash is not here")
    made = CliRunner().invoke(exemplar, ["completion", shell], catch_exceptions=False)
    assert "_EXEMPLAR_COMPLETE" in made.output


def test_names_of_commands_are_completed_without_importing_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, cli.main; cli.main.main(); print('torch' in sys.modules)"],
        env={
            "_EXEMPLAR_COMPLETE": "bash_complete",
            "COMP_WORDS": "exemplar ",
            "COMP_CWORD": "1",
            "PATH": "/bin",
        },
        capture_output=True,
        text=True,
    )
    assert [line.partition(",")[2] for line in done.stdout.split()] == list(COMMANDS)
