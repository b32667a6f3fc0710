"""What computes an encoder on this CPU: torch or OpenVINO, fp32 or bf16. CPU milliseconds a picture and the
cosine to torch in fp32 on real pictures.

python -m benchmarks.encoder_paths [--encoder efficientnet_lite2 ...] [--threads 1 ...] [--batch 1 ...]

The paths are measured in turns and the best of the turns counts: other work of the machine falls on all.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks import bulk_inputs as inputs
from benchmarks.common import DEFAULT, LITE0, emit
from core.pictures import decode_picture
from core.specs import EncoderSpec
from encoders import Encoder, Prepared
from encoders.device import Device, Runtime
from encoders.opening import load_tower
from encoders.openvino_forward import is_installed
from encoders.running import RunningTower

ENCODERS = (DEFAULT, LITE0, "deit", "vitb32")
PICTURES = 96
TURNS, LEAST_S = 5, 0.4
MAX_PIXELS = 50_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--encoder", action="append", choices=ENCODERS)
    parser.add_argument("--threads", action="append", type=int, help="1 and 2 by default")
    parser.add_argument("--batch", action="append", type=int, help="1 and 32 by default")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="exemplar-paths-") as folder:
        for name in asked.encoder or ENCODERS:
            spec = inputs.spec_of(name, Path(folder))
            if spec is None:
                emit("encoder_paths", skipped=name, reason="its weights are not under ../shared/weights")
                continue
            for threads in asked.threads or (1, 2):
                _measure(name, spec, threads, asked.batch or (1, 32))


def _measure(name: str, spec: str, threads: int, batches: Sequence[int]) -> None:
    torch.set_num_threads(threads)
    encoders = opened_by_path(spec, max(batches))
    what, contents = inputs.pictures("sports")
    prepared = [_prepare(encoders[0], content) for content in contents[:PICTURES]]
    expected = encoders[0].embed(prepared)
    exact = expected.astype(np.float64)
    cosines = [(exact * encoder.embed(prepared)).sum(1) for encoder in encoders]
    for batch in batches:
        turns = [[_ms(encoder, prepared[:batch]) for encoder in encoders] for _ in range(TURNS)]
        for encoder, cosine, of_turns in zip(encoders, cosines, zip(*turns, strict=True), strict=True):
            wall, cpu = (min(values) for values in zip(*of_turns, strict=True))
            emit(
                "encoder_paths",
                encoder=name,
                path=f"{encoder.runtime} {encoder.precision}",
                pictures=what,
                threads=threads,
                batch=batch,
                cpu_ms=round(cpu, 2),
                wall_ms=round(wall, 2),
                least_cosine=round(float(cosine.min()), 5),
                mean_loss=float(f"{1 - cosine.mean():.1e}"),
            )


def opened_by_path(spec: str, batch_size: int) -> list[Encoder]:
    """Open an encoder in each way that there is to compute it here, torch in fp32 first."""
    runtimes = (Runtime.TORCH, Runtime.OPENVINO) if is_installed() else (Runtime.TORCH,)
    parsed = EncoderSpec.parse(spec)
    return [
        Encoder(
            spec,
            [
                RunningTower(load_tower(part), Device("cpu", dtype, batch_size, runtime))
                for part in parsed.parts or (parsed,)
            ],
        )
        for runtime in runtimes
        for dtype in (torch.float32, torch.bfloat16)
    ]


def _prepare(encoder: Encoder, content: bytes) -> Prepared:
    picture = decode_picture(content, max_pixels=MAX_PIXELS, draft_side=encoder.draft_side)
    return encoder.prepare(picture)


def _ms(encoder: Encoder, batch: Sequence[Prepared]) -> tuple[float, float]:
    """Return wall and CPU milliseconds a picture."""
    encoder.embed(batch)
    wall, cpu, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < LEAST_S:
        encoder.embed(batch)
        done += len(batch)
    return (time.perf_counter() - wall) / done * 1000, (time.process_time() - cpu) / done * 1000


if __name__ == "__main__":
    main()
