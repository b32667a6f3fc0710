"""By what an encoder runs on this CPU, and in which format: the fastest way that keeps its vectors."""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import replace

import numpy as np
import structlog
import torch
from PIL import Image

from core.vectors import Vectors
from encoders.device import Device, Engine
from encoders.geometry import Geometry, Looks
from encoders.openvino_forward import is_installed
from encoders.running import RunningTower
from encoders.tower import Tower

log = structlog.get_logger("exemplar.encoders")

PROBES, PROBE_SIDE = 8, 256
# compact loses 3e-5 here and 3e-4 at worst on 300 real pictures, DeiT-Tiny 8e-5 and 2e-3; a cosine of 0.999
# to the plain path, which a fast path must keep, lies between them
MOST_MEAN_LOSS = 6e-5
TRIES, TIMED = 2, 4  # large networks take seconds, and a worker waits for them
WORTH = 0.9  # of torch's time; an engine that gains less is not worth another one in the service


def run_fastest(tower: Tower, device: Device, *, precision: str, engine: str) -> RunningTower:
    """Run a tower on a CPU in the format and by the engine that are best; on other devices as they are.

    With the precision `auto` that is bfloat16 where it is sound and the CPU multiplies in it. With the
    engine `auto` it is OpenVINO where that is installed, sound, and measured to be faster than torch.
    """
    best = plain = RunningTower(tower, device)
    if device.name != "cpu":
        return plain
    looks = probes(tower.geometry)
    expected = _embed(plain, looks)
    if precision == "auto" and cpu_has_bf16():
        copied = replace(tower, module=deepcopy(tower.module))  # it is changed in place
        half = RunningTower(copied, replace(device, dtype=torch.bfloat16))
        if loss(expected, _embed(half, looks)) <= MOST_MEAN_LOSS:
            best = half
    if engine == "auto" and is_installed():
        compiled = _compiled(tower, best.device, looks, expected)
        if compiled is not None and _takes_less(compiled, best, looks[:TIMED]):
            best = compiled
    return best


def _compiled(tower: Tower, device: Device, looks: Looks, expected: Vectors) -> RunningTower | None:
    """Run a tower by OpenVINO; None where that cannot be, or would change its vectors."""
    try:
        running = RunningTower(tower, replace(device, engine=Engine.OPENVINO))
        return running if loss(expected, _embed(running, looks)) <= MOST_MEAN_LOSS else None
    except Exception as error:  # the edge to a translator of networks, which knows most of them
        log.info("openvino_unfit", error=f"{type(error).__name__}: {error}"[:300])
        return None


def _embed(running: RunningTower, looks: Looks) -> Vectors:
    """Embed pictures, one of them alone: what was translated for one size of batches shows."""
    unmarked = np.zeros(len(looks), np.bool_)
    return np.concatenate([running.embed(part, unmarked[: len(part)]) for part in (looks[:1], looks[1:])])


def _takes_less(fast: RunningTower, usual: RunningTower, looks: Looks) -> bool:
    """Compare the best of a few tries in turns, so that what else the machine does falls on both."""
    tries = [(_seconds(fast, looks), _seconds(usual, looks)) for _ in range(TRIES)]
    return min(tried[0] for tried in tries) < WORTH * min(tried[1] for tried in tries)


def _seconds(running: RunningTower, looks: Looks) -> float:
    begun = time.perf_counter()
    running.embed(looks, np.zeros(len(looks), np.bool_))
    return time.perf_counter() - begun


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
