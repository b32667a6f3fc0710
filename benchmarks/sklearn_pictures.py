"""The pictures in scikit-learn's wheel, without importing it, which takes 2 s."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

PHOTOGRAPHS = ("china.jpg", "flower.jpg")


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the 1,797 handwritten digits, (n, 8, 8) from 0 to 16, and what each is, (n,)."""
    rows = np.loadtxt(_datasets() / "data" / "digits.csv.gz", delimiter=",")
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(int)


def read_photographs() -> list[np.ndarray]:
    """Return the pagoda and the flower, (427, 640, 3) each."""
    return [np.asarray(Image.open(_datasets() / "images" / name)) for name in PHOTOGRAPHS]


def _datasets() -> Path:
    spec = find_spec("sklearn")
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0], "datasets")
