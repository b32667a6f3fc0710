"""Several labels a picture in the running service: from the first picture to a review and a new decision."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from archives import make_zip
from calls import WAIT, ask, classify_archive, files
from PIL import Image
from test_cli_commands import run
from tiny import LITE0
from waiting import until

from cli.stack import Stack

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
LABELS = {0: ["digit/zero", "round"], 1: ["digit/one", "straight"], 4: ["digit/four", "straight"]}
EXAMPLES = 6


@pytest.fixture
def several(http: httpx.Client, digits: Digits) -> str:
    """A collection of several labels a picture that knows three digits."""
    name = f"many-{uuid4().hex[:8]}"
    made = http.post("/v1/collections", json={"name": name, "labels": "many", "encoder": LITE0})
    assert made.status_code == 201, made.text
    for digit, labels in LABELS.items():
        pictures = [digits(digit, n) for n in range(EXAMPLES)]
        put(http, name, labels, *pictures, complete=True)
    return name


def put(http: httpx.Client, name: str, labels: list[str], *pictures: bytes, complete: bool) -> None:
    response = http.post(
        f"/v1/collections/{name}/enroll",
        data={"label": labels, "complete": str(complete).lower()},
        files=files(*pictures),
        headers=WAIT,
    )
    assert response.status_code == 200, response.text
    assert {one["status"] for one in response.json()["results"]} == {"done"}


def given(answer: dict[str, Any]) -> set[str]:
    return {one["label"] for one in answer["labels"] if one["decision"] == "yes"}


def test_each_label_is_answered_with_its_parents(http: httpx.Client, several: str, digits: Digits) -> None:
    zero, one, four = ask(http, several, *(digits(digit, 20) for digit in LABELS))
    assert given(zero) == {"digit", "digit/zero", "round"}
    assert given(one) == {"digit", "digit/one", "straight"}
    assert given(four) >= {"digit", "straight"}
    assert zero["decision"] == "known"
    best = {label["label"]: label["probability"] for label in zero["labels"]}
    assert best["digit"] >= best["digit/zero"]
    shown = [support for label in zero["labels"] for support in label["explanation"]["supports"]]
    assert shown
    assert http.get(shown[0]["thumbnail"]).headers["content-type"] == "image/jpeg"


def test_label_exists_from_its_first_picture_on(http: httpx.Client, several: str, digits: Digits) -> None:
    put(http, several, ["digit/seven"], digits(7, 0), complete=False)
    [seven] = ask(http, several, digits(7, 0))
    assert "digit/seven" in given(seven)


def test_picture_without_labels_is_none_of_them(http: httpx.Client, several: str) -> None:
    def noise(n: int) -> bytes:
        content = io.BytesIO()
        Image.effect_noise((64, 64), 40 + n).save(content, "PNG")
        return content.getvalue()

    nothing = [
        {"labels": [], "complete": True, "image": {"base64": base64.b64encode(noise(n)).decode()}}
        for n in range(EXAMPLES)
    ]
    assert http.post(f"/v1/collections/{several}/enroll", json={"items": nothing}, headers=WAIT).is_success
    [answer] = ask(http, several, noise(20))
    assert (answer["decision"], given(answer)) == ("none", set())


def test_bulk_job_is_reviewed_and_decided_again(http: httpx.Client, several: str, digits: Digits) -> None:
    pictures = [(f"{digit}-{n}.png", digits(digit, 20 + n)) for digit in LABELS for n in range(3)]
    job = classify_archive(http, several, *pictures)
    path = f"/v1/jobs/{job}"
    assert http.get(f"{path}/summary").json()["labels"]["digit"] == len(pictures)
    added = http.post(f"{path}/review", json={"where": {"label": "round"}, "add": ["hole"]}).json()
    assert added["reviewed"] == 3
    assert http.get(f"{path}/summary").json()["final_labels"]["hole"] == 3
    for n in range(EXAMPLES):
        put(http, several, ["open"], digits(4, n), complete=False)
    again = http.post(f"{path}/redecide", json={}, headers=WAIT).json()
    summary = http.get(f"/v1/jobs/{again['id']}/summary").json()
    assert (summary["asked"], summary["reviewed_left_alone"]) == (6, 3)
    assert all("open" in change["to"] for change in summary["changes"])
    found = http.get(f"{path}/results", params={"label": "open"}).json()["items"]
    assert any(one["custom_id"].startswith("4") for one in found)
    first = http.get(f"{path}/results", params={"version": 1, "label": "open"}).json()["items"]
    assert first == []


def test_report_judges_each_label(http: httpx.Client, service: Stack, several: str) -> None:
    report = http.get(f"/v1/collections/{several}/report/labels", headers=WAIT)
    assert report.status_code == 200, report.text
    found = {line["label"]: line for line in report.json()["labels"]}
    assert set(found) == {
        "digit",
        "round",
        "straight",
        *(f"digit/{name}" for name in ("zero", "one", "four")),
    }
    assert (found["straight"]["supports"], report.json()["complete"]) == (2 * EXAMPLES, 3 * EXAMPLES)
    assert found["round"]["f1"] > 0.5
    refused = http.get(f"/v1/collections/{several}/report")
    assert (refused.status_code, refused.json()["code"]) == (422, "labels_unsupported")
    printed = run("report", "-c", several, url=service.url).stdout
    assert "Calibration error of the probabilities" in printed
    assert "digit/zero" in printed
    changed = http.patch(f"/v1/collections/{several}", json={"rule": {"aim": "precision", "precision": 0.8}})
    assert changed.status_code == 200
    again = http.get(f"/v1/collections/{several}/report/labels", headers=WAIT).json()
    assert (again["aim"], again["precision"]) == ("precision", 0.8)


def test_folder_is_tagged_with_all_labels(
    service: Stack, several: str, digits: Digits, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for digit in (0, 1):
        (photos / f"{digit}.png").write_bytes(digits(digit, 21))
    out, tree = tmp_path / "out.jsonl", tmp_path / "tree"
    run(
        "tag", str(photos), "-c", several, "--out", str(out), "--sidecar", "--sort-into", str(tree),
        "--by", "hardlink", url=service.url,
    )  # fmt: skip
    rows = {row["path"]: row for row in map(json.loads, out.read_text().splitlines())}
    assert given(next(row for path, row in rows.items() if path.endswith("0.png"))) == {
        "digit", "digit/zero", "round",
    }  # fmt: skip
    assert {path.parent.name for path in tree.rglob("0.png")} == {"digit", "digit%2Fzero", "round"}
    sidecar = (photos / "0.png.xmp").read_text()
    assert f"{several}|digit|zero" in sidecar
    assert sidecar.count("<rdf:li>") == 6


def test_picture_in_several_folders_has_all_their_labels(
    http: httpx.Client, digits: Digits, several: str
) -> None:
    picture = digits(0, 30)
    archive = make_zip({"beach/a.png": picture, "dog/a.png": picture, "dog/b.png": digits(1, 30)})
    answer = http.post(
        f"/v1/collections/{several}/bulk",
        params={"kind": "enroll"},
        content=archive,
        headers={"Content-Type": "application/zip", **WAIT},
    )
    assert answer.status_code == 200, answer.text
    path = f"/v1/collections/{several}/supports"

    def labels() -> list[list[str]]:
        return [one["labels"] for one in http.get(path, params={"label": "dog"}).json()["items"]]

    until(lambda: sorted(labels()) == [["beach", "dog"], ["dog"]])
