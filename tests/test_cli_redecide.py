"""`exemplar jobs redecide` and `exemplar review --groups`, against a running service."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from calls import WAIT, enroll, files
from test_cli_commands import run

from cli.stack import Stack

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


@pytest.fixture
def name(http: httpx.Client, digits: Digits) -> str:
    """A collection that knows zeros only."""
    name = f"c-{uuid4().hex[:8]}"
    http.post("/v1/collections", json={"name": name, "rule": {"false_reject": 0.0}})
    enroll(http, name, "zero", *(digits(0, n) for n in range(4)))
    return name


@pytest.fixture
def job(http: httpx.Client, name: str, digits: Digits) -> str:
    """A job of twenty pictures of zeros and ones."""
    pictures = [digits(n % 2, 10 + n) for n in range(20)]
    for _ in range(2):
        asked = http.post(f"/v1/collections/{name}/classify", files=files(*pictures), headers=WAIT)
    return asked.json()["id"]


def test_answers_are_decided_again(
    service: Stack, http: httpx.Client, name: str, job: str, digits: Digits
) -> None:
    enroll(http, name, "one", *(digits(1, n) for n in range(4)))
    tried = run("jobs", "redecide", job, "--dry-run", "--json", url=service.url)
    assert tried.returncode == 0, tried.stderr
    told = json.loads(tried.stdout)["summary"]
    assert told["changes"] == [{"from": "zero", "to": "one", "items": told["changed"]}]
    assert 5 <= told["changed"] <= 15 and told["asked"] == 20
    done = run("jobs", "redecide", job, url=service.url)
    assert done.returncode == 0, done.stderr
    assert f"{told['changed']} of 20 answers changed" in done.stdout
    assert "zero" in done.stdout and "one" in done.stdout
    again = run("jobs", "redecide", job, "--dry-run", url=service.url)
    assert again.stdout == "0 of 20 answers would change\n"
    labels = http.get(f"/v1/jobs/{job}/summary").json()["labels"]
    assert labels["one"] == told["changed"]
    assert http.get(f"/v1/jobs/{job}/summary?version=1").json()["labels"] == {"zero": 20}


def test_refusal_is_reported(service: Stack, http: httpx.Client, name: str, job: str) -> None:
    http.delete(f"/v1/collections/{name}")
    refused = run("jobs", "redecide", job, url=service.url)
    assert refused.returncode == 2 and "collection_not_found" in refused.stderr


def test_unknown_items_are_listed_in_groups(service: Stack, http: httpx.Client, name: str, job: str) -> None:
    http.delete(f"/v1/collections/{name}/classes/zero")
    assert run("jobs", "redecide", job, url=service.url).returncode == 0
    table = run("review", job, "--groups", url=service.url)
    assert table.returncode == 0, table.stderr
    assert "tightness" in table.stdout
    listed = run("review", job, "--groups", "--json", url=service.url)
    assert listed.returncode == 0, listed.stderr
    found = json.loads(listed.stdout)
    assert found[0]["size"] >= 2
    assert {item for one in found for item in one["items"]} <= set(range(20))
    wrong = run("review", job, "--groups", "--accept", url=service.url)
    assert wrong.returncode == 2 and "--groups" in wrong.stderr
