"""How long pictures of each format take to decode, and those of the fast path against another checkout."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import profiles
from benchmarks.common import emit
from benchmarks.raw_files import MAKERS
from benchmarks.scenes import SAMPLES, encoded, scene
from core.pictures import decode_picture

LARGE = (4032, 3024)
MAX_PIXELS = 50_000_000
ONCE_BYTES = 200_000  # a smaller file is decoded twenty times for one measurement
Way = Callable[[bytes], float]
"""Decodes a file and returns the milliseconds that it took."""


def measure_formats(rounds: int, heic: Path | None) -> None:
    """Time a picture of 12 megapixels in each format; no build writes HEIC, so that one is given."""
    for name, content in _large_files(heic):
        [found] = _timed({"median_ms": content}, rounds, [_decode_ms])
        emit("decode_format", format=name, bytes=len(content), **found)


def measure_fast(rounds: int, against: Path | None) -> None:
    """Time plain JPEGs of three sizes, in turns with the code of another checkout where one is given."""
    files = {
        name: encoded(_photograph(size), "JPEG", quality=90)
        for name, size in (("jpeg_128_ms", (128, 96)), ("jpeg_1280_ms", (1280, 960)), ("jpeg_12mp_ms", LARGE))
    }
    if against is None:
        emit("decode_fast", **_timed(files, rounds, [_decode_ms])[0])
        return
    with _decoder_of(against) as before, _decoder_of(Path()) as now:
        for name, found in zip(("before", "now"), _timed(files, rounds, [before, now]), strict=True):
            emit("decode_fast", checkout=name, **found)


def _large_files(heic: Path | None) -> Iterator[tuple[str, bytes]]:
    large = _photograph(LARGE)
    grey = np.asarray(large.convert("L")).astype(np.uint16) * 257
    thumbnail = encoded(large.resize((160, 120)), "JPEG")
    jpeg = encoded(large, "JPEG", quality=90)
    wide = profiles.rgb_profile(profiles.P3, 2.2)
    inks = profiles.as_inks(_photograph((1008, 756)))[0].resize(LARGE)
    press = profiles.press_profile()
    ways: list[tuple[str, Callable[[], bytes]]] = [
        ("JPEG", lambda: jpeg),
        ("JPEG, progressive", lambda: encoded(large, "JPEG", quality=90, progressive=True)),
        ("JPEG in a profile like P3", lambda: encoded(large, "JPEG", quality=90, icc_profile=wide)),
        ("JPEG, CMYK of a press", lambda: encoded(inks, "JPEG", quality=90, icc_profile=press)),
        ("PNG", lambda: encoded(large, "PNG", compress_level=3)),
        ("PNG in a profile like P3", lambda: encoded(large, "PNG", compress_level=3, icc_profile=wide)),
        ("WebP", lambda: encoded(large, "WEBP", quality=85, method=2)),
        ("GIF", lambda: encoded(large, "GIF")),
        ("BMP", lambda: encoded(large, "BMP")),
        ("TIFF, LZW", lambda: encoded(large, "TIFF", compression="tiff_lzw")),
        ("TIFF, grey of 16 bits", lambda: encoded(Image.fromarray(grey), "TIFF")),
        ("AVIF", lambda: encoded(large, "AVIF", quality=70, speed=9)),
        ("JPEG 2000", lambda: encoded(large, "JPEG2000", quality_mode="rates", quality_layers=[12])),
        ("camera raw (DNG)", lambda: MAKERS["DNG"](jpeg, thumbnail, 1)),
    ]
    for name, make in ways:
        yield name, make()
    if heic is not None:
        yield "HEIC", heic.read_bytes()
    yield "HEIC, 480 x 320", (SAMPLES / "plain.heic").read_bytes()


def _photograph(size: tuple[int, int]) -> Image.Image:
    """Return the scene with noise, as a camera's sensor gives it."""
    pixels = np.asarray(scene(size)).astype(np.float32)
    pixels += np.random.default_rng(1).normal(0, 3, pixels.shape).astype(np.float32)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _timed(files: Mapping[str, bytes], rounds: int, ways: Sequence[Way]) -> list[dict[str, float]]:
    """Return for each way of decoding the median time of each file; ways and files take turns."""
    times: list[dict[str, list[float]]] = [{name: [] for name in files} for _ in ways]
    for _ in range(rounds):
        for name, content in files.items():
            for way, found in zip(ways, times, strict=True):
                found[name].append(way(content))
    return [{name: round(statistics.median(all_), 3) for name, all_ in found.items()} for found in times]


def _decode_ms(content: bytes) -> float:
    repeats = 1 if len(content) > ONCE_BYTES else 20
    start = time.perf_counter()
    for _ in range(repeats):
        decode_picture(content, max_pixels=MAX_PIXELS)
    return (time.perf_counter() - start) / repeats * 1000


@contextmanager
def _decoder_of(checkout: Path) -> Iterator[Way]:
    """Give what decodes a file with the code of a checkout, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(ONCE_BYTES)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout.resolve())},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    sent, given = process.stdin, process.stdout

    def decode_ms(content: bytes) -> float:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            sent.write(f"{file.name}\n")
            sent.flush()
            return float(given.readline())

    yield decode_ms
    sent.close()
    process.wait()


_CHILD = """
import sys, time
from pathlib import Path
from core.pictures import decode_picture
for line in sys.stdin:
    content = Path(line.strip()).read_bytes()
    repeats = 1 if len(content) > int(sys.argv[1]) else 20
    start = time.perf_counter()
    for _ in range(repeats):
        decode_picture(content, max_pixels=50_000_000)
    print((time.perf_counter() - start) / repeats * 1000, flush=True)
"""
