"""What the benchmarks share: pictures, a service of their own, percentiles, JSON lines."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.sklearn_pictures import read_digits
from cli.stack import Stack
from core.settings import Settings
from core.specs import PACKAGED

DEFAULT, LITE0 = PACKAGED
SHARED = Path(__file__).parents[1].parent / "shared"


def emit(benchmark: str, **figures: Any) -> None:
    """Print one JSON line."""
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    print(json.dumps({"benchmark": benchmark, **figures, **machine}), flush=True)


def percentiles(values: list[float]) -> dict[str, float]:
    """Return p50, p95 and p99, rounded."""
    return {f"p{q}": round(float(np.percentile(values, q)), 2) for q in (50, 95, 99)}


def picture(n: int, side: int = 64) -> bytes:
    """Return the n-th of many different real pictures: a handwritten digit with one pixel that counts."""
    digits = load_digits_once()
    grey = (255 - digits[n % len(digits)] * 255 / 16).astype(np.uint8)
    image = Image.fromarray(grey).resize((side, side), Image.Resampling.BICUBIC).convert("RGB")
    image.putpixel((0, 0), (n % 256, n // 256 % 256, n // 65536))
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def load_digits_once(cache: list[np.ndarray] = []) -> np.ndarray:  # noqa: B006 - the cache is the point
    """Return scikit-learn's 1,797 digits, (n, 8, 8), read once."""
    if not cache:
        cache.append(read_digits()[0])
    return cache[0]


@contextmanager
def service(*, workers: int, **settings: str) -> Iterator[Stack]:
    """Run a whole service in a folder of its own, with more EXEMPLAR_* settings."""
    environment = {f"EXEMPLAR_{name.upper()}": value for name, value in settings.items()}
    environment.setdefault("EXEMPLAR_LOG_LEVEL", "WARNING")
    with tempfile.TemporaryDirectory(prefix="exemplar-bench-") as folder:
        stack = Stack(Settings(data=Path(folder), port=0), workers=workers, environment=environment)
        try:
            stack.start(lambda _: None)
            yield stack
        finally:
            stack.stop()
