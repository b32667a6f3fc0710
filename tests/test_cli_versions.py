"""`exemplar versions` and `--version`, against a running service."""

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

Digits = Callable[[int, int], bytes]


def test_versions_are_listed_compared_and_restored(
    service: Stack, http: httpx.Client, digits: Digits, tmp_path: Path
) -> None:
    name = f"c-{uuid4().hex[:8]}"
    http.post("/v1/collections", json={"name": name, "rule": {"false_reject": 0.0}})
    enroll(http, name, "zero", *(digits(0, n) for n in range(4)))
    first = http.get(f"/v1/collections/{name}").json()["version"]
    asked = http.post(f"/v1/collections/{name}/classify", files=files(digits(1, 20)), headers=WAIT).json()
    enroll(http, name, "one", *(digits(1, n) for n in range(4)))
    last = http.get(f"/v1/collections/{name}").json()["version"]

    listed = run("versions", "list", "-c", name, url=service.url)
    assert listed.returncode == 0, listed.stderr
    assert "enrolled" in listed.stdout and "local" in listed.stdout
    changes = json.loads(run("versions", "list", "-c", name, "--json", url=service.url).stdout)
    assert changes[0]["version"] == last

    compared = run(
        "versions", "diff", str(first), str(last), "-c", name, "--job", asked["id"], url=service.url
    )
    assert compared.returncode == 0, compared.stderr
    assert "classes added: one" in compared.stdout and "supports of one: 4 added" in compared.stdout
    assert "answers: zero -> one: 1" in compared.stdout and "1 of 1 answers flip" in compared.stdout

    report = run("report", "-c", name, "--version", str(first), "--json", url=service.url)
    assert json.loads(report.stdout)["supports"] == 4
    client_path = f"/v1/collections/{name}/versions/{first}/name"
    http.put(client_path, json={"name": "at-first"}).raise_for_status()
    (tmp_path / "a.png").write_bytes(digits(0, 9))
    asked_then = ("classify", str(tmp_path / "a.png"), "-c", name, "--json", "--version", "at-first")
    assert json.loads(run(*asked_then, url=service.url).stdout)["index_version"] == first
    refused = run("versions", "restore", str(first), "-c", name, url=service.url)
    assert refused.returncode == 2 and "not_confirmed" in refused.stderr
    done = run("versions", "restore", "at-first", "-c", name, "--yes", url=service.url)
    assert done.returncode == 0 and "as at version at-first" in done.stdout
    assert [one["label"] for one in http.get(f"/v1/collections/{name}/classes").json()["items"]] == ["zero"]
    gone = run("versions", "diff", "0", "9999", "-c", name, url=service.url)
    assert gone.returncode == 2 and "version_invalid" in gone.stderr
