"""By which runtime and in which number format an encoder runs: chosen by rule, the same in every run."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import structlog
import torch
from PIL import Image

from core.vectors import Vectors
from encoders.device import PRECISIONS, Device, Runtime
from encoders.geometry import Geometry, Looks
from encoders.openvino_forward import is_installed
from encoders.running import RunningTower
from encoders.tower import Tower

log = structlog.get_logger("exemplar.encoders")

PROBES, PROBE_SIDE = 8, 256
# On 300 photographs this bound has meant a cosine of at least 0.999 to float32: ViT-B/32 in bf16 keeps it
# (least cosine 0.9999), DeiT-Tiny (0.998) and EfficientNet-Lite2 (0.994) do not.
MAX_MEAN_LOSS = 6e-5
MAX_ASKED_LOSS = 1e-2  # where a half format was asked for: only a wrong translation differs by more


def run_chosen(tower: Tower, device: Device, *, precision: str, runtime: str) -> RunningTower:
    """Run a tower in the first way that gives the vectors of torch in float32; nothing is timed.

    Ways are tried in the order in which they were measured to be fast (docs/encoders.md): OpenVINO before
    torch, on CPUs alone, and by each runtime the half format that agrees best before float32. With a
    precision other than `auto` that format is taken unchecked, and with the runtime `torch` no other.
    """
    plain = RunningTower(tower, device)
    pictures = probes(tower.geometry)
    expected = _embed(plain, pictures)
    for one in _runtimes(device, runtime):
        for formats, bound in _formats(device, precision):
            ways = [replace(device, runtime=one, dtype=dtype) for dtype in formats]
            if ways == [device]:
                return plain
            tried = [_tried(tower, way, pictures, expected) for way in ways]
            running, lost = min(tried, key=lambda each: each[1])
            if running is not None and lost <= bound:
                return running
    return plain


def _runtimes(device: Device, wanted: str) -> list[Runtime]:
    translates = device.name == "cpu" and wanted == "auto" and is_installed()
    return [Runtime.OPENVINO, Runtime.TORCH] if translates else [Runtime.TORCH]


def _formats(device: Device, wanted: str) -> list[tuple[list[torch.dtype], float]]:
    """Return groups of formats to choose the best of, each with how much its vectors may differ."""
    if wanted != "auto":
        return [([PRECISIONS[wanted]], MAX_MEAN_LOSS if wanted == "fp32" else MAX_ASKED_LOSS)]
    halves = [torch.bfloat16] if device.name == "cpu" and cpu_has_bf16() else []
    if device.name != "cpu":
        halves = [torch.float16, torch.bfloat16]
    return [(group, MAX_MEAN_LOSS) for group in (halves, [torch.float32]) if group]


def _tried(
    tower: Tower, device: Device, pictures: Looks, expected: Vectors
) -> tuple[RunningTower | None, float]:
    """Return a tower running on a device, and how much its vectors differ; None where it cannot run so."""
    try:
        running = RunningTower(replace(tower, module=deepcopy(tower.module)), device)
        lost = loss(expected, _embed(running, pictures))
    except Exception as error:  # the edge to runtimes that know most networks, and formats of most devices
        log.info(
            "runtime_failed",
            device=device.name,
            precision=device.precision,
            runtime=device.runtime.value,
            error=f"{type(error).__name__}: {error}"[:300],
        )
        return None, float("inf")
    return running, lost


def _embed(running: RunningTower, pictures: Looks) -> Vectors:
    """Embed pictures, one of them alone: what was translated for one size of batches shows."""
    unmarked = np.zeros(len(pictures), np.bool_)
    return np.concatenate(
        [running.embed(part, unmarked[: len(part)]) for part in (pictures[:1], pictures[1:])]
    )


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices itself; where it does not, it is slower than float32."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def loss(expected: Vectors, found: Vectors) -> float:
    """Return the mean of 1 less the cosine of unit vectors of the same pictures, made in two ways."""
    lost = 1.0 - np.einsum("ij,ij->i", expected.astype(np.float64), found.astype(np.float64))
    return float(lost.mean()) if np.isfinite(lost).all() else float("inf")


def probes(geometry: Geometry) -> Looks:
    """Return (PROBES, height, width, 3): noise with the spectrum of natural pictures, always the same.

    The amplitude falls with the frequency (Field, 1987), so that networks see edges and areas.
    """
    rng = np.random.default_rng(0)
    across = np.fft.fftfreq(PROBE_SIDE)
    frequency = np.maximum(np.hypot(across[:, None], across[None]), 1 / PROBE_SIDE)[..., None]
    looks = []
    for _ in range(PROBES):
        waves = np.fft.fft2(rng.normal(size=(PROBE_SIDE, PROBE_SIDE, 3)), axes=(0, 1)) / frequency
        pixels = np.fft.ifft2(waves, axes=(0, 1)).real
        grey = pixels.mean(2, keepdims=True)  # the colours of a natural picture mostly go together
        mixed = grey + (pixels - grey) * 0.4
        scaled = np.clip(128 + 60 * (mixed - mixed.mean()) / mixed.std(), 0, 255).astype(np.uint8)
        looks.append(geometry.frame.look(Image.fromarray(scaled), crop=False))
    return np.concatenate(looks)
