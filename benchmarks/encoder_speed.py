"""What an encoder takes of a CPU, as JSON lines: milliseconds a picture to decode, prepare and embed, the
time to the first vector, memory, and whether a picture has one vector however it is embedded.

python -m benchmarks.encoder_speed [--encoder SPEC ...] [--part speed ...] [--rounds N]

One thread. The ways to compute it take turns, so that a noisy machine is noisy for all. Pictures are those of
../shared/data/sports20, or digits where it is not there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import TypeVar

import numpy as np
import torch

from benchmarks import bulk_inputs as inputs
from benchmarks.common import DEFAULT, LITE0, emit
from benchmarks.encoder_paths import MAX_PIXELS, opened_by_path
from core.pictures import decode_picture
from encoders import Encoder, Prepared, open_encoder

BATCHES = (1, 32)
FIRST_VECTOR = """
import sys, time
import torch
torch.set_num_threads(1)
from PIL import Image
from encoders import open_encoder
encoder = open_encoder(sys.argv[1], device="cpu")
encoder.embed([encoder.prepare(Image.new("RGB", (640, 480), "olive"))])
print(time.time(), encoder.runtime, encoder.precision)
encoder.embed([encoder.prepare(Image.new("RGB", (640, 480), "olive"))] * 32)
lines = open("/proc/self/status").read().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""
T, U = TypeVar("T"), TypeVar("U")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--encoder", nargs="+", default=(DEFAULT, LITE0))
    parser.add_argument("--part", action="append", choices=PARTS, help="everything by default")
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for spec in asked.encoder:
        for part in asked.part or PARTS:
            PARTS[part](spec, asked.rounds)


def speed(spec: str, rounds: int) -> None:
    """Median CPU milliseconds a picture of each stage, embedding by each way to compute it."""
    encoders = opened_by_path(spec, max(BATCHES))
    what, contents = inputs.pictures("sports")
    contents = contents[: max(BATCHES)]
    decode_ms, prepare_ms = [], []
    embed_ms: dict[tuple[str, int], list[float]] = {}
    for encoder in encoders:
        encoder.embed(_prepared(encoder, contents))  # the first belongs to the caches
    for _ in range(rounds):
        decoded, ms = _timed(partial(_decode, encoders[0]), contents)
        decode_ms.append(ms)
        prepared, ms = _timed(encoders[0].prepare, decoded)
        prepare_ms.append(ms)
        for encoder in encoders:
            for batch in BATCHES:
                parts = [prepared[at : at + batch] for at in range(0, len(prepared), batch)]
                _, ms = _timed(encoder.embed, parts)
                path = f"{encoder.runtime} {encoder.precision}"
                embed_ms.setdefault((path, batch), []).append(ms * len(parts) / len(prepared))
    stages = {"decode_cpu_ms": _middle(decode_ms), "prepare_cpu_ms": _middle(prepare_ms)}
    for (path, batch), values in embed_ms.items():
        figures = {"embed_cpu_ms": _middle(values), "embed_cpu_ms_best": round(min(values), 2)}
        _report(
            "speed", encoder=spec, pictures=what, path=path, batch=batch, rounds=rounds, **stages, **figures
        )


def start(spec: str, rounds: int) -> None:
    """Wall seconds from the start of a process to its first vector; its peak memory with a batch of 32."""
    whole, peaks = [], []
    for _ in range(min(rounds, 5)):
        begun = time.time()
        ran = subprocess.run(
            [sys.executable, "-c", FIRST_VECTOR, spec], check=True, capture_output=True, text=True
        )
        ended, runtime, precision, peak_kib = ran.stdout.split()
        whole.append(float(ended) - begun)
        peaks.append(int(peak_kib) / 1024)
    figures = {"wall_s": _middle(whole), "wall_s_best": round(min(whole), 2), "peak_mib": round(max(peaks))}
    _report("start", encoder=spec, path=f"{runtime} {precision}", **figures)


def agreement(spec: str, rounds: int) -> None:
    """The lowest cosine between a picture's vector alone and in a batch, on a thread, and after a reload."""
    encoder = open_encoder(spec, device="cpu")
    what, contents = inputs.pictures("sports")
    prepared = _prepared(encoder, contents[:96])
    alone = np.concatenate([encoder.embed([one]) for one in prepared])
    with ThreadPoolExecutor(1) as pool:
        on_thread = pool.submit(encoder.embed, prepared).result()
    reloaded = open_encoder(spec, device="cpu").embed(prepared)
    others = {"batch": encoder.embed(prepared), "thread": on_thread, "reload": reloaded}
    lowest = {name: round(float((alone * other).sum(1).min()), 7) for name, other in others.items()}
    path = f"{encoder.runtime} {encoder.precision}"
    _report("agreement", encoder=spec, pictures=what, path=path, count=len(prepared), lowest_cosine=lowest)


PARTS: dict[str, Callable[[str, int], None]] = {one.__name__: one for one in (speed, start, agreement)}


def _prepared(encoder: Encoder, contents: Sequence[bytes]) -> list[Prepared]:
    return [encoder.prepare(_decode(encoder, content)) for content in contents]


def _decode(encoder: Encoder, content: bytes):
    return decode_picture(content, max_pixels=MAX_PIXELS, draft_side=encoder.draft_side)


def _timed(work: Callable[[T], U], each: Sequence[T]) -> tuple[list[U], float]:
    """Return what the work makes of each, and the CPU milliseconds that one takes."""
    begun = time.process_time()
    found = [work(one) for one in each]
    return found, (time.process_time() - begun) * 1000 / len(each)


def _middle(values: Sequence[float]) -> float:
    return round(median(values), 2)


def _report(part: str, **figures: object) -> None:
    emit(f"encoder_{part}", **figures, threads=1, load=[round(load, 1) for load in os.getloadavg()])


if __name__ == "__main__":
    main()
