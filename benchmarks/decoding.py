"""Every kind of picture against the plain one: how similar the vectors are, and how long decoding takes.

python -m benchmarks.decoding [--only similarity|formats|fast]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from benchmarks.common import DEFAULT, SHARED, emit
from benchmarks.raw_files import MAKERS
from benchmarks.scenes import ALIKE, SAME, SAMPLES, Sample, encoded, samples, scene
from core.errors import ExemplarError
from core.pictures import decode_picture
from core.types import Views
from encoders import Encoder, open_encoder

MAX_PIXELS = 50_000_000
LARGE = (4032, 3024)
CASES = SHARED / "cases"
TWINS = {
    "with_clip_4mb.jpg": ("without_clip.jpg", ALIKE),
    "grey_16.png": ("grey_8.png", SAME),
    "grey_12in16.png": ("grey_8.png", SAME),
    "grey_10in16.tif": ("grey_8.png", SAME),
    "grey_8in16.png": ("grey_8.png", SAME),
    "float01.tif": ("grey_8.png", SAME),
    "profile_p3-like.png": ("plain.png", SAME),
    "profile_adobe-like.png": ("plain.png", SAME),
    "press_profile.jpg": ("press_profile_as_srgb.png", ALIKE),
    "turned_ok.jpg": ("turned_gps_as_text.jpg", SAME),
    "turned_gps_as_text.jpg": ("plain.jpg", SAME),
    "long_text.png": ("plain.png", SAME),
    "page_300dpi_g4.tif": (None, ALIKE),
    "blank_600dpi.png": (None, ALIKE),
}
"""Cases, the plain ones they must be seen as (None where it is enough that they are read), and the aim."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("similarity", "formats", "fast"))
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    if arguments.only in (None, "similarity"):
        _measure_similarity()
    if arguments.only in (None, "formats"):
        for name, content in _large_files():
            emit(
                "decode_format", format=name, bytes=len(content), **_timed({"ms": content}, arguments.rounds)
            )
    if arguments.only in (None, "fast"):
        emit("decode_fast", **_timed(dict(_fast_files()), arguments.rounds))


def _measure_similarity() -> None:
    encoder = open_encoder(DEFAULT, device="cpu", precision="auto", runtime="auto")
    if not CASES.is_dir():
        print(f"{CASES} is not here: its cases are left out")
    short = 0
    for sample in [*_cases(), *samples()]:
        found = _similarity(encoder, sample)
        short += not isinstance(found, float) or found < sample.aim
        emit("decode_similarity", kind=sample.name, similarity=found, aim=sample.aim)
    emit("decode_similarity_short", short=short)


def _cases() -> Iterator[Sample]:
    for name, (twin, aim) in TWINS.items():
        if not CASES.is_dir():
            return
        content = (CASES / name).read_bytes()
        plain = _decoded(content) if twin is None else _decoded((CASES / twin).read_bytes())
        yield Sample(name, content, plain, aim)


def _similarity(encoder: Encoder, sample: Sample) -> float | str:
    try:
        seen = _decoded(sample.content)
    except ExemplarError as error:
        return f"{error.code}: {error.message}"
    pictures = [encoder.prepare(picture, Views.ONE) for picture in (seen, sample.plain.convert("RGB"))]
    one, other = encoder.embed(pictures)
    return round(float(np.dot(one, other)), 4)


def _decoded(content: bytes) -> Image.Image:
    return decode_picture(content, max_pixels=MAX_PIXELS)


def _large_files() -> Iterator[tuple[str, bytes]]:
    """Yield a picture of 12 megapixels in each format."""
    large = scene(LARGE)
    thumbnail = encoded(large.resize((160, 120)), "JPEG")
    ways: list[tuple[str, Callable[[], bytes]]] = [
        ("JPEG", lambda: encoded(large, "JPEG", quality=90)),
        ("PNG", lambda: encoded(large, "PNG", compress_level=3)),
        ("WebP", lambda: encoded(large, "WEBP", quality=85, method=2)),
        ("GIF", lambda: encoded(large, "GIF")),
        ("BMP", lambda: encoded(large, "BMP")),
        ("TIFF, LZW", lambda: encoded(large, "TIFF", compression="tiff_lzw")),
        ("AVIF", lambda: encoded(large, "AVIF", quality=70, speed=9)),
        ("JPEG 2000", lambda: encoded(large, "JPEG2000", quality_mode="rates", quality_layers=[12])),
        ("camera raw (DNG)", lambda: MAKERS["DNG"](encoded(large, "JPEG", quality=90), thumbnail, 1)),
    ]
    for name, make in ways:
        yield name, make()
    heic = SAMPLES / "large.heic"  # not in the repository: no build of ours writes HEIC
    if heic.exists():
        yield "HEIC", heic.read_bytes()
    yield "HEIC, 480 x 320", (SAMPLES / "plain.heic").read_bytes()


def _fast_files() -> Iterator[tuple[str, bytes]]:
    for name, size in (("jpeg_128_ms", (128, 96)), ("jpeg_1280_ms", (1280, 960)), ("jpeg_12mp_ms", LARGE)):
        yield name, encoded(scene(size), "JPEG", quality=90)


def _timed(files: dict[str, bytes], rounds: int) -> dict[str, float]:
    """Return the median time of decoding each file, the files in turns."""
    times: dict[str, list[float]] = {name: [] for name in files}
    for _ in range(rounds):
        for name, content in files.items():
            repeats = 1 if len(content) > 200_000 else 20
            start = time.perf_counter()
            for _ in range(repeats):
                _decoded(content)
            times[name].append((time.perf_counter() - start) / repeats * 1000)
    return {name: round(statistics.median(found), 2) for name, found in times.items()}


if __name__ == "__main__":
    main()
