"""Commands run as a user types them."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner
from tiny import DEFAULT

from cli.demo_pictures import split_folder
from cli.main import main
from cli.pictures import find_pictures
from cli.serve import worker
from cli.stack import Stack
from core.errors import ExemplarError
from core.jobs import Lane
from store.database import Database
from store.migrate import ensure_schema

pytestmark = pytest.mark.processes


Done = subprocess.CompletedProcess[str]
NOWHERE = "http://127.0.0.1:9"


def run(*arguments: str, url: str = NOWHERE, encoding: str = "utf-8", **environment: str) -> Done:
    """Run a command in this process, as its script does: most of a process's time goes into its start.

    The encoding is the console's; a process has it of PYTHONIOENCODING.
    """
    own = {name for name in os.environ if name.startswith("EXEMPLAR_") or name == "COLUMNS"}
    given = {**dict.fromkeys(own), "EXEMPLAR_URL": url, **environment}
    runner = CliRunner(charset=encoding)
    with pytest.MonkeyPatch.context() as patch, runner.isolation(env=given) as (out, err, _):
        patch.setattr(sys, "argv", ["exemplar", *arguments])
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
        streams = [stream.getvalue().decode() for stream in (out, err)]
    return subprocess.CompletedProcess(arguments, end.value.code, *streams)


def run_process(*arguments: str, url: str = NOWHERE, **environment: str) -> Done:
    """Run a command as a process."""
    return subprocess.run(
        [sys.executable, "-m", "exemplar_service", *arguments],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "EXEMPLAR_URL": url, **environment},
        timeout=200,
    )


def test_folder_becomes_classes_and_its_pictures_are_recognised(service: Stack, photos: Path) -> None:
    name = f"c-{uuid4().hex[:8]}"
    enrolled = run_process("enroll", str(photos), "-c", name, url=service.url)
    assert enrolled.returncode == 0, enrolled.stderr
    assert "8 enrolled in 2 classes" in enrolled.stdout
    file = photos / "digit 3" / "0.png"
    named = run_process("classify", str(file), "-c", name, "--json", url=service.url)
    answer = json.loads(named.stdout)
    assert (answer["file"], answer["label"]) == (str(file), "digit 3")
    table = run_process("classify", str(file), "-c", name, "--csv", url=service.url)
    [row] = csv.DictReader(table.stdout.splitlines())
    assert (row["file"], row["label"], row["status"]) == (str(file), "digit 3", "done")


def test_bad_file_fails_alone_and_the_exit_code_says_so(service: Stack, photos: Path) -> None:
    (photos / "digit 3" / "broken.png").write_text("no picture")
    enrolled = run("enroll", str(photos), "-c", f"c-{uuid4().hex[:8]}", url=service.url)
    assert enrolled.returncode == 1
    assert "8 enrolled" in enrolled.stdout
    assert "broken.png" in enrolled.stderr and "picture_unreadable" in enrolled.stderr


def test_class_that_is_refused_at_the_door_fails_alone(service: Stack, photos: Path) -> None:
    (photos / "empty").mkdir()
    (photos / "empty" / "nothing.png").write_bytes(b"")
    enrolled = run("enroll", str(photos), "-c", f"c-{uuid4().hex[:8]}", url=service.url)
    assert enrolled.returncode == 1
    assert "8 enrolled" in enrolled.stdout
    assert "nothing.png" in enrolled.stderr and "picture_empty" in enrolled.stderr


def test_service_that_is_not_there_is_one_line_and_no_trace_back(photos: Path) -> None:
    answer = run_process("classify", str(photos), "-c", "things")
    assert answer.returncode == 3
    assert "service_unreachable" in answer.stderr and "Traceback" not in answer.stderr


def test_unknown_setting_is_one_line_and_no_trace_back() -> None:
    answer = run_process("worker", EXEMPLAR_COLOUR="red")
    assert answer.returncode == 2
    assert "EXEMPLAR_COLOUR" in answer.stderr and "Traceback" not in answer.stderr


def test_key_is_made_listed_without_its_secret_and_revoked(tmp_path: Path) -> None:
    place = {"EXEMPLAR_DATA": str(tmp_path)}
    key = run("keys", "create", "laptop", "--scope", "classify", **place).stdout.strip()
    key_id, secret = key.split("_", 2)[1:]
    listed = run("keys", "list", **place).stdout
    assert "laptop" in listed and key_id in listed and secret not in listed
    assert run("keys", "revoke", key_id, **place).returncode == 0
    assert "revoked" in run("keys", "list", **place).stdout
    [found] = json.loads(run("keys", "list", "--json", **place).stdout)
    assert (found["id"], found["scopes"], found["collections"]) == (key_id, ["classify"], None)
    assert found["revoked"] is True and secret not in json.dumps(found)


def test_first_key_says_that_keys_are_needed_now_and_data_may_be_named(tmp_path: Path) -> None:
    first = run("keys", "create", "laptop", "--data", str(tmp_path))
    assert first.stdout.startswith("ex_") and first.stdout.count("\n") == 1
    assert "From now on this service needs a key for every call" in first.stderr
    second = run("keys", "create", "phone", "--data", str(tmp_path))
    assert "EXEMPLAR_KEY" in second.stderr and "From now on" not in second.stderr
    ids = [one["id"] for one in json.loads(run("keys", "list", "--json", "--data", str(tmp_path)).stdout)]
    assert len(ids) == 2 and f"keys revoke {ids[0]} --data {tmp_path}" in first.stderr
    said = [run("keys", "revoke", one, "--data", str(tmp_path)).stdout for one in ids]
    assert said == [f"revoked {ids[0]}\n", f"revoked {ids[1]}; no key is left, so none is needed\n"]


def test_key_may_be_made_only_if_there_is_none_and_go_to_a_file(tmp_path: Path) -> None:
    create = ("keys", "create", "first", "--if-none", "--out", str(tmp_path / "key"), "--data", str(tmp_path))
    first = run(*create)
    key = (tmp_path / "key").read_text()
    assert first.stdout == "" and key.startswith("ex_") and (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    again = run(*create)
    assert again.returncode == 0 and "there is a key already" in again.stderr
    assert (tmp_path / "key").read_text() == key


@pytest.mark.parametrize(("retry", "wait", "code"), [(True, "60", 0), (True, "0", 2), (False, "60", 2)])
def test_key_may_wait_for_the_record_to_answer(
    retry: bool, wait: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([ExemplarError("record_unavailable", "no answer", retry=retry)])

    def late(database: Database) -> None:
        for error in answers:
            raise error
        ensure_schema(database)

    monkeypatch.setattr("cli.keys.ensure_schema", late)
    done = run("keys", "create", "first", "--wait", wait, "--data", str(tmp_path))
    assert (done.returncode, done.stdout.startswith("ex_")) == (code, code == 0), done.stderr


def test_key_may_be_for_a_collection_and_for_some_days(tmp_path: Path) -> None:
    place = {"EXEMPLAR_DATA": str(tmp_path), "COLUMNS": "200"}
    run("keys", "create", "shop", "-c", "birds", "-c", "dogs", "--days", "30", **place)
    listed = run("keys", "list", **place).stdout
    assert "birds, dogs" in listed and "classify, enroll" in listed and "until 20" in listed
    invalid = run("keys", "create", "shop", "--collection", "Not A Slug", **place)
    assert invalid.returncode == 2 and "name_invalid" in invalid.stderr


def test_encoders_are_listed() -> None:
    assert DEFAULT in run("encoders", "list").stdout


def test_folder_of_photos_is_split_with_at_most_half_as_supports(photos: Path) -> None:
    pictures = split_folder(photos)
    assert {label: len(paths) for label, paths in pictures.supports.items()} == {"digit 3": 2, "digit 4": 2}
    assert len(pictures.queries) == 4


def test_file_or_folder_given_by_a_short_path_has_its_folder_as_class(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos / "digit 3")
    assert {picture.label for picture in find_pictures(Path())} == {"digit 3"}
    assert find_pictures(Path("0.png"))[0].label == "digit 3"


def test_name_in_brackets_is_shown_as_it_is(service: Stack, photos: Path) -> None:
    name = f"c-{uuid4().hex[:8]}"
    run("enroll", str(photos / "digit 3" / "0.png"), "-c", name, "--label", "[/x] cat", url=service.url)
    named = run("classify", str(photos / "digit 3" / "0.png"), "-c", name, url=service.url, COLUMNS="200")
    assert "[/x] cat" in named.stdout


def test_interactive_lane_goes_first_however_lanes_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Lane] = []
    monkeypatch.setattr("worker.process.run_worker", lambda *_, lanes, **__: given.extend(lanes))
    CliRunner().invoke(worker, ["--lane", "bulk", "--lane", "interactive"], catch_exceptions=False)
    assert given == [Lane.INTERACTIVE, Lane.BULK]


def test_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExemplarError, match="two or more folders"):
        split_folder(tmp_path)


def test_folder_that_is_a_link_is_a_class_too(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "three").symlink_to(photos / "digit 3")
    (tmp_path / "chosen" / "circle").symlink_to(tmp_path / "chosen")
    (tmp_path / "chosen" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert [picture.label for picture in find_pictures(tmp_path / "chosen")] == ["three"] * 4
