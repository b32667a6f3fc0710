"""`exemplar demo`: its photographs, and from nothing to named pictures as `make demo` runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cli.client import Client
from cli.command_name import command_name
from cli.demo import Trial
from cli.demo_pictures import PHOTOGRAPHS, TILES, DemoPictures, split_folder, tile_boxes, write_tiles
from cli.pictures import Picture
from cli.stack import Stack
from core.settings import read_settings

pytestmark = pytest.mark.processes


@given(st.integers(64, 600), st.integers(64, 600))
def test_tiles_are_squares_inside_the_photograph_and_none_lies_over_another(width: int, height: int) -> None:
    boxes = [box for _, _, box in tile_boxes(width, height)]
    covered = np.zeros((height, width), np.uint8)
    for left, top, right, bottom in boxes:
        assert right - left == bottom - top and right <= width and bottom <= height
        covered[top:bottom, left:right] += 1
    assert len(boxes) >= TILES and covered.max() == 1


def test_photographs_are_in_colour_and_their_tiles_are_enrolled_or_asked(tmp_path: Path) -> None:
    pictures = split_folder(write_tiles(tmp_path))
    supports = {path for paths in pictures.supports.values() for path in paths}
    queries = {query.path for query in pictures.queries}
    assert list(pictures.supports) == list(PHOTOGRAPHS) and len(PHOTOGRAPHS) == 10
    assert len(supports) == 50 and len(queries) >= 300 and not supports & queries
    for label in PHOTOGRAPHS:
        pixels = [np.asarray(Image.open(path), dtype=int) for path in tmp_path.glob(f"{label}/*.png")]
        assert all(one.ndim == 3 and min(one.shape[:2]) >= 60 for one in pixels)
        assert max((one.max(axis=2) - one.min(axis=2)).max() for one in pixels) > 50, f"{label} is grey"


def test_file_that_cannot_be_read_fails_and_shifts_no_answer(
    service: Stack, digits: Callable[[int, int], bytes], tmp_path: Path
) -> None:
    supports: dict[str, list[Path]] = {"zero": [], "one": []}
    for digit, paths in enumerate(supports.values()):
        for number in range(2):
            paths.append(tmp_path / f"{digit}-{number}.png")
            paths[-1].write_bytes(digits(digit, number))
    asked = [(tmp_path / "gone.png", "zero")] + [
        (path, label) for label in supports for path in supports[label]
    ]
    with closing(Client(service.url)) as client:
        trial = Trial(client, DemoPictures(supports, [Picture(*one) for one in asked]))
        trial.enroll(1)
        trial.classify()
        first = [answer["index_version"] for answer in trial.answers[1:]]
        trial.enroll(2)
        trial.decide_again()
    gone, *others = trial.answers
    assert gone["error"]["code"] == "picture_unreadable"
    assert [answer["candidates"][0]["label"] for answer in others] == ["zero", "zero", "one", "one"]
    assert [answer["index_version"] for answer in others] > first


@pytest.mark.timeout(300)
def test_demo_enrols_names_reports_and_stops_what_it_started(tmp_path: Path) -> None:
    environment = {**os.environ, "EXEMPLAR_DATABASE_URL": "sqlite:////nowhere/real.sqlite"}
    run = subprocess.run(
        [sys.executable, "-m", "exemplar_service", "demo", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=280,
        env=environment,  # a demo must never write into a production record
    )
    assert run.returncode == 0, run.stderr
    assert re.findall(r"10 classes, (\d) examples? of each.*?, (\d+) held-out", run.stdout) == [
        ("1", "304"),
        ("5", "304"),
    ]
    assert "colour photographs" in run.stdout and "easier than real work" in run.stdout
    assert run.stdout.count(f"Encoder: {read_settings({}).encoders[0]}\n") == 2
    assert run.stdout.count("macro avg") == 2
    one, five = (float(number) for number in re.findall(r"accuracy ([01]\.\d+)\n", run.stdout))
    assert 0.4 < one < five, "a tenth is guessing"
    assert len(re.findall(r"is .* \(confidence .*nearest: \w+/row\d", run.stdout)) == 3
    assert "make demo" not in run.stdout and f"{command_name()} demo --photos FOLDER" in run.stdout
    assert not [process for process in psutil.process_iter() if _speaks_of(process, str(tmp_path))]


def _speaks_of(process: psutil.Process, folder: str) -> bool:
    try:
        return folder in " ".join(process.cmdline()) or process.environ().get("EXEMPLAR_DATA") == folder
    except psutil.Error:
        return False


def test_demo_on_a_folder_without_classes_says_what_it_expected(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "exemplar_service", "demo", "--photos", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert "two or more folders" in run.stderr and "Traceback" not in run.stderr
