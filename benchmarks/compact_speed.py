"""How fast and how heavy compact is, beside DeiT-Tiny and MobileNetV2 in one run, as JSON lines.

python -m benchmarks.compact_speed

One thread, float32, decode apart. CPU milliseconds of one core; the encoders take turns, so that a noisy
machine is noisy for all. Encoders whose weights are not under ../shared are left out, and named.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

from benchmarks.compact_encoders import DEIT, MOBILENET, open_compact, open_deit, open_mobilenet
from encoders import Encoder

ROUNDS = 15
OPENERS = {"compact": open_compact, "deit_tiny": open_deit, "mobilenet_v2": open_mobilenet}
FIRST_VECTOR = """
import time
import torch
imported = time.perf_counter()
torch.set_num_threads(1)
from PIL import Image
from encoders import open_encoder
encoder = open_encoder("compact", device="cpu")
encoder.embed([encoder.prepare(Image.new("RGB", (640, 480), "olive"))])
print(time.time(), time.perf_counter() - imported)
"""


def main() -> None:
    if len(sys.argv) > 1:  # a process of its own for each memory figure
        return report_memory(sys.argv[1])
    torch.set_num_threads(1)
    missing = [str(file.name) for file in (DEIT, MOBILENET) if not file.exists()]
    if missing:
        emit(skipped=missing, reason="not under ../shared/weights")
    names = [
        name for name, file in zip(OPENERS, (None, DEIT, MOBILENET), strict=True) if not file or file.exists()
    ]
    report_rates({name: OPENERS[name]() for name in names})
    for name in names:
        subprocess.run([sys.executable, "-m", "benchmarks.compact_speed", name], check=True)
    return report_first_vector()


def report_rates(encoders: dict[str, Encoder]) -> None:
    """Milliseconds of CPU a picture at batch 1 and 32, and pictures a second of one core."""
    rng = np.random.default_rng(0)
    for batch in (1, 32):
        prepared = {
            name: [encoder.prepare(noise(rng, *encoder.input_sizes[0])) for _ in range(batch)]
            for name, encoder in encoders.items()
        }
        times: dict[str, list[float]] = {name: [] for name in encoders}
        for _ in range(ROUNDS):
            for name, encoder in encoders.items():
                encoder.embed(prepared[name])  # caches belong to whom is measured
                begin = time.process_time()
                for _ in range(max(1, 8 // batch)):
                    encoder.embed(prepared[name])
                times[name].append((time.process_time() - begin) / max(8, batch) * 1000)
        for name, values in times.items():
            emit(
                figure="speed",
                encoder=name,
                input_size=encoders[name].input_sizes[0],
                batch=batch,
                threads=1,
                cpu_ms_a_picture_median=round(median(values), 2),
                cpu_ms_a_picture_best=round(min(values), 2),
                pictures_per_s_of_a_core=round(1000 / median(values), 1),
            )


def noise(rng: np.random.Generator, height: int, width: int) -> Image.Image:
    """A picture that already has the encoder's size."""
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def report_memory(name: str) -> None:
    """Peak resident memory of a process that opens one encoder and embeds a batch of 32."""
    torch.set_num_threads(1)
    before = peak_mib()
    encoder = OPENERS[name]()
    encoder.embed([encoder.prepare(Image.new("RGB", encoder.input_sizes[0]))] * 32)
    emit(figure="memory", encoder=name, peak_mib=peak_mib(), of_which_imports_mib=before, batch=32)


def peak_mib() -> int:
    """Peak resident memory of this process; unlike getrusage's it does not start at the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def report_first_vector() -> None:
    """Wall seconds from the start of a process to its first vector, and of these after torch's import."""
    whole, ours = [], []
    for _ in range(5):
        begin = time.time()
        ran = subprocess.run([sys.executable, "-c", FIRST_VECTOR], check=True, capture_output=True, text=True)
        end, after_import = ran.stdout.split()
        whole.append(float(end) - begin)
        ours.append(float(after_import))
    emit(
        figure="first vector",
        encoder="compact",
        wall_s_median=round(median(whole), 2),
        wall_s_best=round(min(whole), 2),
        after_import_of_torch_s_median=round(median(ours), 2),
    )


def emit(**figures: object) -> None:
    print(json.dumps({**figures, "cores": os.cpu_count()}), flush=True)


if __name__ == "__main__":
    main()
