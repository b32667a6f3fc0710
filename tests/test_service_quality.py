"""Checks before enrolment and error budgets in the running service and its commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from archives import make_zip
from calls import WAIT, enroll
from test_cli_commands import run

from cli.stack import Stack

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


@pytest.fixture
def taught(http: httpx.Client, digits: Digits) -> str:
    """A collection with eight pictures of each of two digits."""
    name = f"c-{uuid4().hex[:8]}"
    http.post("/v1/collections", json={"name": name})
    for digit in (0, 1):
        enroll(http, name, f"digit {digit}", *(digits(digit, n) for n in range(8)))
    return name


def test_archive_is_checked_and_adds_nothing(http: httpx.Client, taught: str, digits: Digits) -> None:
    before = http.get(f"/v1/collections/{taught}").json()
    files = {f"digit 0/{n}.png": digits(0, n) for n in (20, 21)}
    files |= {"digit 0/wrong.png": digits(1, 3), "digit 0/notes.txt": b"no picture"}
    answer = http.post(
        f"/v1/collections/{taught}/bulk",
        params={"kind": "check"},
        content=make_zip(files),
        headers={"Content-Type": "application/zip", **WAIT},
    )
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert (job["kind"], job["state"], job["progress"]["failed"]) == ("check", "partial", 1)
    found = {result["custom_id"]: result for result in job["results"]}
    assert found["digit 0/notes.txt"]["error"]["code"] == "picture_unreadable"
    conflict = [one for one in found["digit 0/wrong.png"]["findings"] if one["code"] == "label_conflict"]
    assert conflict[0]["label"] == "digit 1" and "support_id" in conflict[0]
    after = http.get(f"/v1/collections/{taught}").json()
    assert {**after, "index_measured": None} == {**before, "index_measured": None}
    told = http.post(f"/v1/jobs/{job['id']}/effect", headers=WAIT).json()
    effect = told["results"][0]["effect"]
    assert (effect["added"], effect["judged"]) == (3, 16)
    assert abs(effect["after"] - effect["before"] - effect["change"]) < 1e-5


def test_whole_data_set_is_judged_before_there_is_a_collection_of_it(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    files = {f"digit {digit}/{n}.png": digits(digit, n) for digit in (0, 1) for n in range(8)}
    files["digit 0/wrong.png"] = digits(1, 20)
    path, query = f"/v1/collections/{collection}/bulk", {"kind": "check"}
    headers = {"Content-Type": "application/zip", **WAIT}
    job = http.post(path, params=query, content=make_zip(files), headers=headers).json()
    names = {result["item"]: result["custom_id"] for result in job["results"]}
    effect = http.post(f"/v1/jobs/{job['id']}/effect", headers=WAIT).json()["results"][0]["effect"]
    assert (effect["added"], effect["added_judged"], effect["judged"]) == (17, 17, 0)
    assert effect["before"] is None and effect["added_accuracy"] > 0.8
    worst = effect["suspects"]["items"][0]
    assert (names[worst["id"]], worst["looks_like"]) == ("digit 0/wrong.png", "digit 1")
    assert http.get(f"/v1/collections/{collection}").json()["version"] == 0


def test_dry_run_of_the_command_says_what_is_wrong(
    service: Stack, http: httpx.Client, taught: str, digits: Digits, tmp_path: Path
) -> None:
    folder = tmp_path / "digit 0"
    folder.mkdir()
    for n in (30, 31):
        (folder / f"{n}.png").write_bytes(digits(0, n))
    (folder / "wrong.png").write_bytes(digits(1, 2))
    printed = run("enroll", str(folder), "-c", taught, "--dry-run", url=service.url)
    assert printed.returncode == 0, printed.stderr
    assert f"3 would be enrolled in {taught}, 0 would fail; nothing was added" in printed.stdout
    assert "1 label_conflict" in printed.stdout and "with these 3:" in printed.stdout
    assert "wrong.png: label_conflict (digit 1)" in printed.stderr
    assert http.get(f"/v1/collections/{taught}").json()["supports"] == 16
    lines = run("enroll", str(folder), "-c", taught, "--dry-run", "--json", url=service.url).stdout
    assert json.loads(lines.splitlines()[-1])["effect"]["added"] == 3
    real = run("enroll", str(folder), "-c", taught, url=service.url)
    assert "3 enrolled" in real.stdout and "1 label_conflict" in real.stderr
    missing = run("enroll", str(folder), "-c", "nowhere-to-be", "--dry-run", url=service.url)
    assert missing.returncode == 2 and "collection_not_found" in missing.stderr
    assert http.get("/v1/collections/nowhere-to-be").status_code == 404


def test_budget_is_set_and_reported_by_commands(service: Stack, taught: str) -> None:
    changed = run("collections", "change", taught, "--max-error", "0.01", "--json", url=service.url)
    assert json.loads(changed.stdout)["rule"]["max_error"] == 0.01
    report = run("report", "-c", taught, url=service.url)
    assert report.returncode == 0, report.stderr
    for part in (
        "at 95 %",
        "Accuracy by examples of each class",
        "Left to people",
        "People label everything",
    ):
        assert part.lower() in " ".join(report.stdout.split()).lower()


def test_quality_settings_are_changed_by_the_command(service: Stack, http: httpx.Client, taught: str) -> None:
    limits = ("--limit", "min_side", "64", "--limit", "unlike_deviations", "2.5")
    changed = run("collections", "change", taught, "--refuse", "blurred", *limits, url=service.url)
    assert changed.returncode == 0, changed.stderr
    quality = http.get(f"/v1/collections/{taught}").json()["quality"]
    assert (quality["refuse"], quality["min_side"], quality["unlike_deviations"]) == (["blurred"], 64, 2.5)
    assert run("collections", "change", taught, "--refuse", "nothing", url=service.url).returncode == 0
    assert http.get(f"/v1/collections/{taught}").json()["quality"]["refuse"] == []
