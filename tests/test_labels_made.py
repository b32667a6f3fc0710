"""The command that makes pictures of several labels to measure on."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.labels_made import CELL, LAYOUTS, joined, make
from cli.label_manifests import read_label_manifest

Digits = Callable[[int, int], bytes]


@pytest.fixture
def source(tmp_path: Path, digits: Digits) -> Path:
    for digit in range(5):
        (tmp_path / "source" / str(digit)).mkdir(parents=True)
        for n in range(8):
            (tmp_path / "source" / str(digit) / f"{n}.png").write_bytes(digits(digit, n))
    return tmp_path / "source"


def made(source: Path, out: Path, seed: int) -> Path:
    given = argparse.Namespace(source=source, out=out, singles_from=None, seed=seed, classes=None, first=0)
    given.singles, given.mosaics, given.queries = 2, 6, 9
    make(given)
    return out


def test_manifests_say_what_the_mosaics_show(source: Path, tmp_path: Path) -> None:
    out = made(source, tmp_path / "out", 1)
    supports, partial, queries, singles = (
        read_label_manifest(out / f"{name}.csv", complete=False)
        for name in ("mosaics", "mosaics_partial", "queries", "singles")
    )
    assert (len(supports), len(partial), len(queries), len(singles)) == (6, 6, 9, 10)
    assert all(one.complete for one in (*supports, *queries))
    assert not any(one.complete for one in (*partial, *singles))
    assert all(len(one.labels) == 1 for one in (*partial, *singles))
    assert all(set(some.labels) <= set(every.labels) for some, every in zip(partial, supports, strict=True))
    for one in (*supports, *queries):
        with Image.open(one.path) as picture:
            places = LAYOUTS[len(one.labels)]
            assert picture.width == CELL * max(left + across for left, _, across, _ in places)


def test_same_seed_makes_the_same_pictures(source: Path, tmp_path: Path) -> None:
    one, same, other = (made(source, tmp_path / str(n), seed) for n, seed in enumerate((1, 1, 2)))
    names = sorted(path.relative_to(one) for path in one.rglob("*.*"))
    assert all((one / name).read_bytes() == (same / name).read_bytes() for name in names)
    assert (one / "queries.csv").read_text() != (other / "queries.csv").read_text()


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_parts_fill_the_canvas(number: int) -> None:
    parts = [Image.new("RGB", (50, 90), (40 * n + 40, 0, 0)) for n in range(number)]
    pixels = np.asarray(joined(parts))
    assert set(np.unique(pixels[:, :, 0])) == {40 * n + 40 for n in range(number)}
