"""Commands for erasure, the audit log and contributions, with a running service and its worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from test_cli_commands import run
from waiting import until

from cli.stack import Stack
from core.jobs import Item, JobKind, JobRequest, Lane, Origin
from core.settings import Settings
from store.blobs import PICTURES
from store.record.quarantine import OPTION
from store.store import open_store
from store.work.jobs import new_job_id

pytestmark = pytest.mark.processes

Command = Callable[..., str]
Digits = Callable[[int, int], bytes]


@pytest.fixture
def command(service: Stack) -> Command:
    """A command of the running service that has to end well; gives what it printed."""

    def do(*arguments: str) -> str:
        answer = run(*arguments, url=service.url)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return do


@pytest.fixture
def numbers(command: Command, photos: Path) -> str:
    """A collection with two classes of four pictures."""
    name = f"c-{uuid4().hex[:8]}"
    command("enroll", str(photos), "-c", name)
    return name


def test_support_is_erased_by_its_external_id(http: httpx.Client, command: Command, numbers: str) -> None:
    who = ("erase", "-c", numbers, "--external-id", "digit 3/0.png")
    said = command(*who, "--dry-run")
    assert said == "would erase 1 supports, 1 pictures, 1 items\n"
    receipt = json.loads(command(*who, "--yes", "--json"))
    assert (receipt["state"], receipt["counts"]["supports"]) == ("done", 1)
    assert http.get(f"/v1/erasures/{receipt['id']}").json() == receipt
    found = http.get(f"/v1/collections/{numbers}/supports").json()["items"]
    assert "digit 3/0.png" not in {one["external_id"] for one in found}


def test_class_is_erased_only_once_confirmed(
    service: Stack, http: httpx.Client, command: Command, numbers: str
) -> None:
    asked = run("erase", "-c", numbers, "--label", "digit 4", url=service.url)
    assert asked.returncode != 0 and "needs --yes" in asked.stderr
    assert "the receipt is" in command("erase", "-c", numbers, "--label", "digit 4", "--yes")
    classes = http.get(f"/v1/collections/{numbers}/classes").json()["items"]
    assert [one["label"] for one in classes] == ["digit 3"]


@pytest.mark.parametrize(
    "options", [(), ("--support", "1", "--label", "a"), ("--everywhere", "--label", "a")]
)
def test_what_to_erase_must_be_said_once(service: Stack, options: tuple[str, ...]) -> None:
    assert run("erase", *options, url=service.url).returncode == 2


def test_log_is_written_as_lines(command: Command, numbers: str) -> None:
    lines = [json.loads(line) for line in command("audit", "-c", numbers, "--since", "1h").splitlines()]
    assert [entry["kind"] for entry in lines[:2]] == ["collection_created", "enrolled"]
    assert {entry["collection"] for entry in lines} == {numbers}
    assert command("audit", "-c", numbers, "--until", "2020-01-01") == ""


def test_contributions_are_listed_judged_and_decided(
    service: Stack, http: httpx.Client, command: Command, numbers: str, digits: Digits
) -> None:
    store = open_store(Settings(data=Path(service.environment["EXEMPLAR_DATA"])))
    items = [Item(n, store.blobs.put(PICTURES, digits(3, 20 + n)), "digit 3") for n in range(3)]
    request = JobRequest(
        numbers,
        JobKind.ENROLL,
        Lane.INTERACTIVE,
        items,
        origin=Origin("asked", "0123456789ab"),
        options={OPTION: "ann"},
    )
    store.jobs.submit(new_job_id(), request)
    store.database.close()
    until(lambda: len(http.get(f"/v1/collections/{numbers}/quarantine").json()["items"]) == 3)

    listed = json.loads(command("quarantine", "list", "-c", numbers, "--key", "0123456789ab", "--json"))
    assert {(one["label"], one["key_name"]) for one in listed} == {("digit 3", "ann")}
    assert "3 contributions" in command("quarantine", "effect", "-c", numbers)
    first = str(listed[0]["id"])
    assert command("quarantine", "accept", first, "-c", numbers, "--yes") == "accepted 1\n"
    assert command("quarantine", "refuse", "-c", numbers, "--label", "digit 3", "-y") == "refused 2\n"
    assert http.get(f"/v1/collections/{numbers}").json()["supports"] == 9
