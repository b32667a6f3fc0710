"""`exemplar review` with other tools: files of Label Studio and FiftyOne, XMP sidecars, supports."""

from __future__ import annotations

import base64
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from calls import WAIT, enroll
from test_cli_commands import run
from test_cli_review import listed

from cli.stack import Stack

pytestmark = pytest.mark.processes

NAMES = ["album/a.png", "album/b.png", "other/a.png", "c.png"]


@pytest.fixture
def named_job(http: httpx.Client, digits: Callable[[int, int], bytes]) -> str:
    """A job of four named pictures in a collection of two classes; the last picture failed."""
    name = f"c-{uuid4().hex[:8]}"
    http.post("/v1/collections", json={"name": name, "rule": {"false_reject": 0.0}})
    for label, digit in (("zero", 0), ("one", 1)):
        enroll(http, name, label, *(digits(digit, n) for n in range(4)))
    pictures = [*(digits(n % 2, 20 + n) for n in range(3)), b"broken"]
    items = [
        {"custom_id": name, "image": {"base64": base64.b64encode(content).decode()}}
        for name, content in zip(NAMES, pictures, strict=True)
    ]
    asked = http.post(f"/v1/collections/{name}/classify", json={"items": items}, headers=WAIT)
    return asked.json()["id"]


def reviewed(service: Stack, job: str) -> dict[int, str | None]:
    return {one["item"]: one["final_label"] for one in listed(service, job, "--reviewed")}  # type: ignore[misc]


def import_(service: Stack, job: str, format_: str, document: Any, folder: Path, *more: str) -> Any:
    file = folder / "labels.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return run("review", job, "--import", format_, str(file), *more, url=service.url)


@pytest.mark.parametrize("format_", ["label-studio", "fiftyone"])
def test_exported_labels_come_back(service: Stack, named_job: str, tmp_path: Path, format_: str) -> None:
    file = tmp_path / "out.json"
    run("review", named_job, "--path", "album", "--set", "one", url=service.url)
    written = run("review", named_job, "--export", format_, str(file), url=service.url)
    assert written.stdout == f"3 answers written to {file}\n"
    run("review", named_job, "--undo", url=service.url)
    assert reviewed(service, named_job) == {}
    outcome = import_(service, named_job, format_, file.read_text(), tmp_path)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    found = reviewed(service, named_job)
    assert (found[0], found[1]) == ("one", "one")
    assert (2 in found) == (format_ == "fiftyone")  # its format does not say what a person labelled


def test_label_studio_finds_the_pictures(
    service: Stack, http: httpx.Client, named_job: str, tmp_path: Path
) -> None:
    file = tmp_path / "out.json"
    run("review", named_job, "--export", "label-studio", str(file), url=service.url)
    image = json.loads(file.read_text())[1]["data"]["image"]
    assert http.get(image).headers["content-type"] == "image/jpeg"
    prefix = "/data/local-files/?d=my%20photos/"
    run("review", named_job, "--export", "label-studio", str(file), "--images", prefix, url=service.url)
    assert [one["data"]["image"] for one in json.loads(file.read_text())] == [
        f"{prefix}{name}" for name in NAMES[:3]
    ]


def test_wrong_entries_are_named_and_the_others_are_taken(
    service: Stack, named_job: str, tmp_path: Path
) -> None:
    labels = {"album/b": 0, "a": 0, "nothing": 0, "other/a": 1, "c": 0, "album/a": 9, "b": 2}
    document = {"classes": ["zero", "dodo", "one"], "labels": labels}
    outcome = import_(service, named_job, "fiftyone", document, tmp_path, "--json")
    assert outcome.returncode == 1
    found = json.loads(outcome.stdout)
    assert found["reviewed"] == 1
    assert {one["entry"]: one["error"]["code"] for one in found["refused"]} == {
        "label of 'a'": "item_ambiguous",
        "label of 'nothing'": "item_not_found",
        "label of 'other/a'": "class_not_found",
        "label of 'c'": "item_not_found",
        "label of 'album/a'": "manifest_invalid",
        "label of 'b'": "item_ambiguous",
    }
    assert "label of 'c': item 3 has no answer: it failed (item_not_found)\n" in outcome.stderr
    assert reviewed(service, named_job) == {1: "zero"}
    again = import_(service, named_job, "fiftyone", document, tmp_path, "--new-labels")
    assert again.stdout == "2 answers reviewed, 5 entries refused\n"
    assert reviewed(service, named_job) == {1: "zero", 2: "dodo"}


@pytest.mark.parametrize("format_", ["label-studio", "fiftyone"])
def test_file_of_another_kind_is_refused(
    service: Stack, named_job: str, tmp_path: Path, format_: str
) -> None:
    outcome = import_(service, named_job, format_, "{broken", tmp_path)
    assert outcome.returncode == 2
    assert f"{tmp_path / 'labels.json'}: expected JSON" in outcome.stderr


def test_reviewed_pictures_become_supports(
    service: Stack, http: httpx.Client, named_job: str, tmp_path: Path
) -> None:
    collection = http.get(f"/v1/jobs/{named_job}").json()["collection"]

    def supports() -> int:
        return http.get(f"/v1/collections/{collection}").json()["supports"]

    assert supports() == 8
    labels = {"classes": ["zero"], "labels": {"album/a": 0, "album/b": 0}}
    assert import_(service, named_job, "fiftyone", labels, tmp_path, "--enroll").returncode == 0
    assert supports() == 10
    run("review", named_job, "--path", "other", "--set", "two", "--enroll", url=service.url)
    assert supports() == 11
    run("review", named_job, "--undo", url=service.url)
    assert supports() == 8
    outcome = run("review", named_job, "--none", "--enroll", url=service.url)
    assert (outcome.returncode, "--enroll goes with" in outcome.stderr) == (2, True)
    outcome = run("review", named_job, "--accept", "--enroll", url=service.url)
    assert (outcome.returncode, "enroll: expected a label with it" in outcome.stderr) == (2, True)


def test_sidecars_carry_the_final_label(service: Stack, named_job: str, tmp_path: Path) -> None:
    for name in NAMES[:2]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    run("review", named_job, "--path", "album/a", "--set", "fine & good", url=service.url)
    outcome = run("review", named_job, "--sidecars", str(tmp_path), "--json", url=service.url)
    assert json.loads(outcome.stdout)["not found"] == 1
    sidecars = [(tmp_path / f"{name}.xmp").read_text() for name in NAMES[:2]]
    labels = [
        ET.fromstring(content).find(".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li")
        for content in sidecars
    ]
    assert [one is not None and one.text for one in labels] == ["fine & good", "one"]
    assert ["reviewed" in content for content in sidecars] == [True, False]
    run("review", named_job, "--path", "album/a", "--none", url=service.url)
    run("review", named_job, "--sidecars", str(tmp_path), url=service.url)
    assert not (tmp_path / "album/a.png.xmp").exists()


def test_list_is_ordered_and_filtered(service: Stack, named_job: str) -> None:
    assert [one["item"] for one in listed(service, named_job, "--order", "name", "--path", "A.PNG")] == [0, 2]
    run("review", named_job, "--path", "album", "--accept", url=service.url)
    assert listed(service, named_job, "--order", "value")[0]["item"] == 2
