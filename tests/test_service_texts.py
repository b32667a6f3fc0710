"""Zero-shot classes in the running service, with the small CLIP that was trained on drawn shapes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from calls import ask, codes, enroll, make_collection
from contract import Contract
from safetensors.numpy import load_file, save_file
from services import running_service
from shapes import HELD_OUT, LABELS, SPEC, WEIGHTS, draw_many, png
from test_cli_commands import run
from tiny import TINY

from cli.stack import Stack

pytestmark = pytest.mark.processes

PHOTO = ["a photo of a {}."]


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same encoder without its text half."""
    folder = tmp_path_factory.mktemp("images-only")
    shutil.copy(WEIGHTS.parent / "open_clip_config.json", folder)
    images = {name: part for name, part in load_file(WEIGHTS).items() if name.startswith("visual.")}
    save_file(images, folder / WEIGHTS.name)
    return f"open_clip:shapes@{folder / WEIGHTS.name}"


@pytest.fixture(scope="module")
def clip(blind: str) -> Iterator[Stack]:
    """The service with the small CLIP, the same without a text half, and TINY."""
    with running_service(encoders=f"{SPEC},{blind},{TINY}") as stack:
        yield stack


@pytest.fixture
def http(clip: Stack) -> Iterator[httpx.Client]:
    contract = Contract(httpx.get(f"{clip.url}/openapi.json").json())
    with httpx.Client(base_url=clip.url, timeout=90, event_hooks={"response": [contract.check]}) as client:
        yield client


def add(http: httpx.Client, collection: str, *labels: str) -> None:
    for label in labels:
        made = http.post(f"/v1/collections/{collection}/classes", json={"label": label})
        assert (made.status_code, made.json()["supports"]) == (201, 0)


def pictures(*labels: str, each: int = 1, seed: int = 0) -> list[bytes]:
    return [png(picture) for _, picture in draw_many(labels, each, seed=seed)]


def first(results: list[dict[str, Any]]) -> list[str]:
    return [result["candidates"][0]["label"] for result in results]


def share(results: list[dict[str, Any]], labels: tuple[str, ...]) -> float:
    return sum(a == b for a, b in zip(first(results), labels, strict=True)) / len(labels)


def test_classes_of_names_alone_know_what_was_never_shown(http: httpx.Client) -> None:
    """New even to the encoder: it was trained on the colours and the shapes, but on none of these pairs."""
    collection = make_collection(http, prompts=PHOTO)
    add(http, collection, *HELD_OUT)
    results = ask(http, collection, *pictures(*HELD_OUT))
    assert share(results, HELD_OUT) >= 0.8
    assert [result["label"] for result in results] == first(results)
    assert {result["novelty"] for result in results} == {None}  # no class has a picture


def test_pictures_join_what_the_names_say(http: httpx.Client) -> None:
    collection = make_collection(http, prompts="best7", views="flip")
    labels = LABELS[:6]
    add(http, collection, *labels)
    by_name = share(ask(http, collection, *pictures(*labels, seed=1)), labels)
    for label in labels:
        enroll(http, collection, label, *pictures(label, each=3, seed=2))
    results = ask(http, collection, *pictures(*labels, seed=1))
    assert share(results, labels) >= max(by_name, 0.8)
    assert {result["rule"] for result in results} == {"kernel"}
    assert all(result["explanation"]["supports"] for result in results)
    thumbnail = results[0]["explanation"]["supports"][0]["thumbnail"]
    assert http.get(thumbnail).headers["content-type"] == "image/jpeg"


def test_renamed_and_deleted_classes_are_known_as_they_are_now(http: httpx.Client) -> None:
    collection = make_collection(http, prompts=PHOTO)
    add(http, collection, "red circle", "blue square")
    circle = pictures("red circle", seed=3)
    assert first(ask(http, collection, *circle)) == ["red circle"]
    path = f"/v1/collections/{collection}/classes"
    http.patch(f"{path}/red circle", json={"label": "green star"})
    assert first(ask(http, collection, *pictures("green star", seed=3))) == ["green star"]
    assert http.delete(f"{path}/green star").status_code == 204
    [result] = ask(http, collection, *circle)
    assert [candidate["label"] for candidate in result["candidates"]] == ["blue square"]


def test_names_mean_nothing_without_prompts(http: httpx.Client) -> None:
    collection = make_collection(http)
    add(http, collection, "red circle")
    [result] = ask(http, collection, *pictures("red circle"))
    assert (result["decision"], result["label"]) == ("unknown", None)


def test_encoder_that_surely_cannot_read_is_refused(http: httpx.Client) -> None:
    body = {"name": "unread", "encoder": TINY, "prompts": "best7"}
    answer = http.post("/v1/collections", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "text_side_missing")


def test_encoder_without_its_text_half_fails_the_items_and_the_worker_lives_on(
    http: httpx.Client, blind: str
) -> None:
    collection = make_collection(http, encoder=blind, prompts="best7")
    add(http, collection, "red circle")
    assert codes(ask(http, collection, *pictures("red circle"))) == ["text_side_missing"]
    other = make_collection(http, encoder=blind)
    enroll(http, other, "red circle", *pictures("red circle"))
    assert first(ask(http, other, *pictures("red circle"))) == ["red circle"]


def test_collection_and_classes_are_made_by_command(clip: Stack, tmp_path: Path) -> None:
    name = f"c-{uuid4().hex[:8]}"
    template = PHOTO[0]
    made = run(
        "collections", "create", name, "--prompts", template, "--prompts", "the {}", "--false-reject", "0.1",
        url=clip.url,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    added = run("classes", "add", "red circle", "blue square", "-c", name, url=clip.url)
    assert added.returncode == 0, added.stderr
    assert "red circle" in run("classes", "list", "-c", name, url=clip.url).stdout
    run("collections", "change", name, "--certainty", "0.2", url=clip.url)
    found = httpx.get(f"{clip.url}/v1/collections/{name}").json()
    assert (found["prompts"], found["classes"]) == ([template, "the {}"], 2)
    assert (found["rule"]["false_reject"], found["rule"]["certainty"]) == (0.1, 0.2)
    assert name[:6] in run("collections", "list", url=clip.url, COLUMNS="300").stdout
    file = tmp_path / "picture.png"
    file.write_bytes(pictures("red circle")[0])
    assert "red circle" in run("classify", str(file), "-c", name, url=clip.url, COLUMNS="300").stdout


def test_text_finds_the_pictures_that_it_describes(http: httpx.Client) -> None:
    collection = make_collection(http, encoder=SPEC)
    for label in LABELS:
        enroll(http, collection, label, *pictures(label, each=2))
    found = 0
    for label in LABELS:
        body = {"text": f"a photo of a {label}."}
        path = f"/v1/collections/{collection}/search"
        [result] = http.post(path, json=body, headers={"Prefer": "wait=60"}).json()["results"]
        found += result["neighbours"][0]["label"] == label
    assert found / len(LABELS) > 0.7
    other = make_collection(http, encoder=TINY)
    refused = http.post(f"/v1/collections/{other}/search", json={"text": "a circle"})
    assert (refused.status_code, refused.json()["code"]) == (422, "text_side_missing")
