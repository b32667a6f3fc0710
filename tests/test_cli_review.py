"""`exemplar review`: answers listed, and reviewed by options or by a CSV."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from calls import WAIT, enroll, files
from test_cli_commands import run

from cli.stack import Stack

pytestmark = pytest.mark.processes


@pytest.fixture
def job(http: httpx.Client, digits: Callable[[int, int], bytes]) -> str:
    """A job of six answers, each with a label, and an item that failed."""
    name = f"c-{uuid4().hex[:8]}"
    http.post("/v1/collections", json={"name": name, "rule": {"false_reject": 0.0}})
    for label, digit in (("zero", 0), ("one", 1)):
        enroll(http, name, label, *(digits(digit, n) for n in range(4)))
    pictures = [digits(n % 2, 10 + n) for n in range(6)]
    asked = http.post(f"/v1/collections/{name}/classify", files=files(*pictures, b"broken"), headers=WAIT)
    return asked.json()["id"]


def listed(service: Stack, job: str, *options: str) -> list[dict[str, object]]:
    outcome = run("review", job, "--json", *options, url=service.url)
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout)


def test_answers_are_listed_by_what_they_say(service: Stack, job: str) -> None:
    assert [one["item"] for one in listed(service, job)] == list(range(6))
    zeros = listed(service, job, "--with-label", "zero")
    assert zeros and {one["label"] for one in zeros} == {"zero"}
    table = run("review", job, url=service.url).stdout
    assert "final label" in table and "zero" in table


def test_answers_are_reviewed_by_options_and_undone(service: Stack, job: str) -> None:
    zeros = len(listed(service, job, "--with-label", "zero"))
    assert run("review", job, "--with-label", "zero", "--accept", url=service.url).stdout == (
        f"{zeros} answers reviewed\n"
    )
    assert len(listed(service, job, "--reviewed")) == zeros
    run("review", job, "--unreviewed", "--set", "two", url=service.url)
    assert {one["final_label"] for one in listed(service, job, "--reviewed")} == {"zero", "two"}
    undone = run("review", job, "--with-label", "two", "--undo", "--json", url=service.url)
    assert json.loads(undone.stdout) == {"reviewed": 6 - zeros}
    assert len(listed(service, job, "--unreviewed")) == 6 - zeros


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8-sig"), (";", "utf-8"), ("\t", "utf-16")])
def test_spreadsheet_is_the_reviewer(
    service: Stack, job: str, tmp_path: Path, delimiter: str, encoding: str
) -> None:
    table = tmp_path / "labels.csv"
    content = "Item,Label,note\n0,zwei,\n1,-,blurred\n2,,\n3,zwei,\n"
    table.write_text(content.replace(",", delimiter), encoding=encoding)
    assert run("review", job, "--from", str(table), url=service.url).stdout == "3 answers reviewed\n"
    finals = [one["final_label"] for one in listed(service, job)]
    assert (finals[0], finals[1], finals[3]) == ("zwei", None, "zwei")
    assert len(listed(service, job, "--reviewed")) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("path,label\n0,a\n", "expected the columns item and label"),
        ("item,label\n0,a\nx,a\n", "line 3: expected the number of an item, got 'x'"),
        ("item,label\n6,a\n", "expected items of this job with an answer, got 6"),
    ],
)
def test_wrong_spreadsheet_is_named(
    service: Stack, job: str, tmp_path: Path, content: str, said: str
) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(content)
    outcome = run("review", job, "--from", str(table), url=service.url)
    assert outcome.returncode == 2
    assert said in outcome.stderr
    assert listed(service, job, "--reviewed") == []


def test_one_verdict_at_a_time(service: Stack, job: str) -> None:
    outcome = run("review", job, "--accept", "--none", url=service.url)
    assert outcome.returncode == 2
    assert "expected one of --accept" in outcome.stderr
