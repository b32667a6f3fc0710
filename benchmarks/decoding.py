"""Every kind of picture against the plain one: how similar the vectors are, and how long decoding takes.

python -m benchmarks.decoding [--only similarity|formats|fast] [--against CHECKOUT]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import DEFAULT, SHARED, emit
from benchmarks.decode_times import MAX_PIXELS, measure_fast, measure_formats
from benchmarks.scenes import ALIKE, SAME, Sample, samples
from core.collections import Views
from core.errors import ExemplarError
from core.pictures import decode_picture
from encoders import Encoder, open_encoder

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
    parser.add_argument("--against", type=Path, help="another checkout, timed in turns with this one")
    parser.add_argument("--heic", type=Path, help="a HEIC file to time with the other formats")
    arguments = parser.parse_args()
    if arguments.only in (None, "similarity"):
        _measure_similarity()
    if arguments.only in (None, "formats"):
        measure_formats(arguments.rounds, arguments.heic)
    if arguments.only in (None, "fast"):
        measure_fast(arguments.rounds, arguments.against)


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


if __name__ == "__main__":
    main()
