"""What views cost: milliseconds of CPU a picture to prepare and to embed, one thread.

python -m benchmarks.views [--encoder SPEC] [--size 640x480]

The settings take turns, so that a noisy machine is noisy for all. Decoding is not counted: it happens once.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from PIL import Image

from benchmarks.common import DEFAULT, emit
from core.collections import Views
from encoders import Encoder, Prepared, open_encoder
from encoders.threads import use_threads
from encoders.tiles import prepare_crops

BATCH, ROUNDS = 16, 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--size", default="640x480", help="Width and height of the pictures.")
    chosen = parser.parse_args()
    use_threads(1)
    encoder = open_encoder(chosen.encoder, device="cpu")
    width, height = (int(part) for part in chosen.size.split("x"))
    rng = np.random.default_rng(0)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)) for _ in range(BATCH)
    ]
    prepare_ms: dict[Views, list[float]] = {views: [] for views in Views}
    embed_ms: dict[Views, list[float]] = {views: [] for views in Views}
    for turn in range(ROUNDS + 1):
        for views in Views:
            begin = time.process_time()
            prepared = [part for picture in pictures for part in parts_of(encoder, picture, views)]
            ready = time.process_time()
            encoder.embed(prepared)
            end = time.process_time()
            if turn:  # the first belongs to the caches
                prepare_ms[views].append((ready - begin) * 1000 / BATCH)
                embed_ms[views].append((end - ready) * 1000 / BATCH)
    for views in Views:
        emit(
            "views",
            encoder=encoder.spec,
            views=views.value,
            size=chosen.size,
            batch=BATCH,
            threads=1,
            prepare_cpu_ms=round(median(prepare_ms[views]), 2),
            embed_cpu_ms=round(median(embed_ms[views]), 2),
        )


def parts_of(encoder: Encoder, picture: Image.Image, views: Views) -> list[Prepared]:
    whole = encoder.prepare(picture, views)
    return [whole, *prepare_crops(encoder, picture)] if views is Views.TILES else [whole]


if __name__ == "__main__":
    main()
