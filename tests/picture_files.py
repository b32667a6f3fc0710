"""Real pictures as files."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.sklearn_pictures import read_digits

SHARED = Path(__file__).parents[1].parent / "shared"


def encode(picture: Image.Image, format_: str = "PNG", **options: object) -> bytes:
    """Return a picture as a file."""
    out = BytesIO()
    picture.save(out, format_, **options)
    return out.getvalue()


@pytest.fixture(scope="session")
def digits() -> Callable[[int, int], bytes]:
    """Real pictures: the n-th handwritten example of a digit in scikit-learn's set, as PNG."""
    images, digits = read_digits()

    def picture(digit: int, n: int) -> bytes:
        index = np.flatnonzero(digits == digit)[n]
        pixels = (255 - images[index] * 255 / 16).astype(np.uint8)
        return encode(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC))

    return picture


@pytest.fixture
def photos(tmp_path: Path, digits: Callable[[int, int], bytes]) -> Path:
    """Two classes of four pictures."""
    for digit in (3, 4):
        folder = tmp_path / "photos" / f"digit {digit}"
        folder.mkdir(parents=True)
        for n in range(4):
            (folder / f"{n}.png").write_bytes(digits(digit, n))
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def sports20() -> Path:
    """The folder of real sports pictures; tests that need it are skipped if it is missing."""
    folder = SHARED / "data" / "sports20"
    if not folder.is_dir():
        pytest.skip("../shared/data/sports20 is not here")
    return folder
