"""Other decoders of JPEG against ours: milliseconds of one core, and how their pixels differ.

python -m benchmarks.jpeg_decoders [--rounds 9] [--side 960]

Pictures are real ones of ../shared/data/sports20, the same made 1280 x 960, and mosaics of them of 12
megapixels, which hold as much detail as a photograph. They are decoded at the scale that leaves both
sides `--side` pixels, three times what an encoder of 320 pixels sees. simplejpeg is no dependency: `pip
install simplejpeg` to measure it. It scales in the same way; torchvision decodes at full size only. Each ends
with the `Image` that is resized next. The decoders take turns. Differences are mean absolute ones of 0 to
255, of the same scale.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg

from benchmarks import bulk_inputs as inputs
from benchmarks.common import emit
from core.pictures import decode_picture

MAX_PIXELS = 50_000_000
SOME = 24

Decoder = Callable[[bytes, int], Image.Image]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--side", type=int, default=960)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    decoders = dict(_decoders())
    for what, contents in _files():
        taken: dict[str, list[float]] = {name: [] for name in decoders}
        for _ in range(asked.rounds):
            for name, decode in decoders.items():
                begun = time.process_time()
                for content in contents:
                    decode(content, asked.side)
                taken[name].append((time.process_time() - begun) * 1000 / len(contents))
        ours = [_ours(content, asked.side) for content in contents]
        for name, decode in decoders.items():
            found = [decode(content, asked.side) for content in contents]
            emit(
                "jpeg_decoders",
                pictures=what,
                kilobytes=round(sum(map(len, contents)) / len(contents) / 1000),
                decoder=name,
                cpu_ms=round(median(taken[name]), 2),
                size="x".join(map(str, found[0].size)),
                mean_difference=_difference(ours, found),
            )


def _files() -> Iterator[tuple[str, list[bytes]]]:
    what, contents = inputs.pictures("sports")
    some = contents[:: max(1, len(contents) // SOME)][:SOME]
    yield what, some
    yield inputs.pictures("large")[0], inputs.pictures("large")[1][:SOME]
    what, contents = inputs.pictures("photographs")
    yield what, contents[:4]


def _decoders() -> Iterator[tuple[str, Decoder]]:
    yield "ours, by Pillow", _ours
    yield "torchvision", _torchvision
    try:
        import simplejpeg
    except ImportError:
        return

    def scaled(content: bytes, side: int) -> Image.Image:
        # the smallest scale that leaves both sides, as Pillow's draft chooses it, which knows 1/1 to 1/8 only
        height, width = simplejpeg.decode_jpeg_header(content)[:2]
        scale = next((one for one in (8, 4, 2) if min(height, width) // one >= side), 1)
        smallest = {"min_height": -(-height // scale), "min_width": -(-width // scale)}
        return Image.fromarray(simplejpeg.decode_jpeg(content, "RGB", **smallest))

    yield "simplejpeg", scaled


def _ours(content: bytes, side: int) -> Image.Image:
    return decode_picture(content, max_pixels=MAX_PIXELS, draft_side=side)


def _torchvision(content: bytes, _side: int) -> Image.Image:
    data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return Image.fromarray(decode_jpeg(data, mode=ImageReadMode.RGB).permute(1, 2, 0).numpy())


def _difference(ours: list[Image.Image], theirs: list[Image.Image]) -> float | None:
    if any(one.size != other.size for one, other in zip(ours, theirs, strict=True)):
        return None
    pairs = [
        (np.asarray(one, np.int16), np.asarray(other, np.int16))
        for one, other in zip(ours, theirs, strict=True)
    ]
    differences = [np.abs(one - other).mean() for one, other in pairs]
    return round(float(np.mean(differences)), 3)


if __name__ == "__main__":
    main()
