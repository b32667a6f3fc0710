"""Everything about one GPU in ten minutes: encoders by precision, batch and tuning, decoding, service, index.

python -m benchmarks.gpu [--device cuda] [--part model ...] [--network vitb32 ...] [--limit-s 600]

It has never run on a GPU: none was at hand when it was written. A test runs it on a CPU, with a tiny network
(`--device cpu --quick`): all but the CUDA calls, which are in `benchmarks/gpu/cuda.py`, nvJPEG, and FAISS on
a GPU.

Prints JSON lines, and at the end which of the tunings was faster and what encoders/ should do then. After
--limit-s the rest is named and left out, and so is what the device cannot do. Weights are those under
../shared/weights, or random ones.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torchvision import __version__ as torchvision_version

from benchmarks.bulk_inputs import pictures
from benchmarks.common import emit
from benchmarks.gpu import advice, cuda
from benchmarks.gpu.parts import Parts
from benchmarks.gpu.plan import Plan, quick
from core.errors import ExemplarError
from encoders.device import choose_device


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu")
    parser.add_argument("--part", action="append", choices=PARTS, help="everything by default")
    parser.add_argument("--network", action="append", help="all by default")
    parser.add_argument("--quick", action="store_true", help="tiny networks, for a test")
    parser.add_argument("--limit-s", type=float, default=600.0)
    asked = parser.parse_args()
    try:
        device = choose_device(asked.device).name
    except ExemplarError as error:
        parser.error(str(error))
    plan = quick(device) if asked.quick else Plan(device, limit_s=asked.limit_s)
    what, contents = pictures("sports")
    versions = {"torch": torch.__version__, "torchvision": torchvision_version, "cuda": torch.version.cuda}
    emit("gpu", device=cuda.name_of(device), pictures=what, **versions)
    with tempfile.TemporaryDirectory(prefix="exemplar-gpu-") as folder:
        parts = Parts(plan, asked.network or plan.networks, contents, Path(folder))
        for name in asked.part or PARTS:
            PARTS[name](parts)
    print(advice.lines(parts.advice()))


PARTS: dict[str, Callable[[Parts], None]] = {
    "model": Parts.model,
    "decode": Parts.decode,
    "faiss": Parts.faiss,
    "service": Parts.service,
    "tunings": Parts.tunings,
}

if __name__ == "__main__":
    main()
