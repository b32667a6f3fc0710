"""Pictures for the demo: scikit-learn's handwritten digits, or a folder of the user's."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from cli.pictures import Picture, find_pictures
from core.errors import ExemplarError

SHOTS = 5
QUERIES_PER_DIGIT = 60
SIDE = 64
SEED = 0


@dataclass(frozen=True, slots=True)
class DemoPictures:
    """Up to five supports of each class, and pictures held out to be named."""

    what: str
    supports: dict[str, list[Path]]
    queries: list[Picture]


def write_digits(folder: Path) -> DemoPictures:
    """Write 10 x (5 + 60) real handwritten digits (UCI, in scikit-learn) as PNG files."""
    bunch = load_digits()
    supports: dict[str, list[Path]] = {}
    queries: list[Picture] = []
    for digit in range(10):
        rows = np.flatnonzero(bunch.target == digit)[: SHOTS + QUERIES_PER_DIGIT]
        paths = [_write(folder / str(digit) / f"{row:04d}.png", bunch.images[row]) for row in rows]
        supports[str(digit)] = paths[:SHOTS]
        queries += [Picture(path, str(digit)) for path in paths[SHOTS:]]
    return DemoPictures("handwritten digits", supports, queries)


def split_folder(root: Path) -> DemoPictures:
    """Split a folder of folders: up to five supports a class (at most half of it), the rest held out."""
    by_label: dict[str, list[Path]] = defaultdict(list)
    for picture in find_pictures(root):
        by_label[picture.label].append(picture.path)
    usable = {label: paths for label, paths in sorted(by_label.items()) if len(paths) >= 2}
    if len(usable) < 2:
        raise ExemplarError(
            "photos_unfit",
            f"expected two or more folders of two or more pictures in {root}, found {len(usable)}",
        )
    supports: dict[str, list[Path]] = {}
    queries: list[Picture] = []
    for label, paths in usable.items():
        shuffled = random.Random(SEED).sample(paths, len(paths))
        shots = min(SHOTS, len(paths) // 2)
        supports[label] = shuffled[:shots]
        queries += [Picture(path, label) for path in shuffled[shots:]]
    return DemoPictures(f"pictures of {root}", supports, queries)


def _write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = (255 - pixels * 255 / 16).astype(np.uint8)  # dark on light, as on paper
    Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)
    return path
