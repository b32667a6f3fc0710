"""Decoding on the device, by nvJPEG through torchvision, against decoding on the CPU as the service does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms.v2 import InterpolationMode, functional

from benchmarks.gpu import cuda
from benchmarks.gpu.forward import Module, Run
from core.pictures import decode_picture
from core.vectors import Vectors
from encoders.geometry import Geometry, Pixels
from encoders.unit import to_unit

MAX_PIXELS = 50_000_000
CORES = os.cpu_count() or 1
Pool = ThreadPoolExecutor


def decode_on_cpu(contents: Sequence[bytes], geometry: Geometry) -> Pixels:
    """Decode and resize with a thread a core."""

    def one(content: bytes) -> Pixels:
        side = 3 * max(geometry.height, geometry.width)
        picture = decode_picture(content, max_pixels=MAX_PIXELS, draft_side=side)
        return geometry.frame.resize(picture, crop=False)

    with Pool(CORES) as pool:
        return np.concatenate(list(pool.map(one, contents)))


def decode_on_device(contents: Sequence[bytes], geometry: Geometry, device: str) -> Tensor:
    """Decode and resize on the device; returns (n, height, width, 3) uint8 there."""
    files = [torch.frombuffer(bytearray(content), dtype=torch.uint8) for content in contents]
    try:
        decoded = decode_jpeg(files, mode=ImageReadMode.RGB, device=device)
    except RuntimeError as error:
        raise cuda.UnavailableError(f"torchvision cannot decode on {device}: {error}") from error
    size = [geometry.height, geometry.width]
    mode = InterpolationMode(geometry.interpolation)
    resized = [functional.resize(one, size, interpolation=mode, antialias=True) for one in decoded]
    return torch.stack(resized).permute(0, 2, 3, 1)


def measured(
    contents: Sequence[bytes], geometry: Geometry, run: Run, module: Module, seconds: float
) -> tuple[dict[str, float], Vectors, Vectors]:
    """Return pictures a second of each way, and the vectors by the CPU's and by the device's decoder."""
    device = module.device

    @torch.inference_mode()
    def all_on_device() -> Vectors:
        return to_unit(module.scaled(decode_on_device(contents, geometry, device)).cpu().numpy())

    views = decode_on_cpu(contents, geometry)
    ways: dict[str, Callable[[], object]] = {
        "cpu_decode": lambda: decode_on_cpu(contents, geometry),
        "embed": lambda: run(views),
        "device_decode": lambda: decode_on_device(contents, geometry, device),
        "device_decode_then_embed": all_on_device,
    }
    rates = {name: round(_per_s(way, len(contents), device, seconds), 1) for name, way in ways.items()}
    return rates, run(views), all_on_device()


def _per_s(way: Callable[[], object], count: int, device: str, seconds: float) -> float:
    way()
    cuda.synchronize(device)
    begun, done = time.perf_counter(), 0
    while done == 0 or time.perf_counter() < begun + seconds:
        way()
        done += count
    cuda.synchronize(device)
    return done / (time.perf_counter() - begun)
