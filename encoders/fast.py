"""Whether an encoder may run in bfloat16 on this CPU: where it has that, and the vectors stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from encoders.device import Device
from encoders.geometry import Looks
from encoders.running import RunningTower
from encoders.tower import Tower

PROBES, PROBE_SIDE = 8, 256
# compact loses 3e-5 here and 3e-4 at worst on 300 real pictures, DeiT-Tiny 8e-5 and 2e-3; a cosine of 0.999
# to the plain path, which a fast path must keep, lies between them
MOST_MEAN_LOSS = 6e-5


def fastest(towers: Sequence[Tower], device: Device) -> Device:
    """Return the device in bfloat16 where that is sound and the CPU multiplies in it, else as it was."""
    if device.name != "cpu" or device.dtype is not torch.float32 or not cpu_has_bf16():
        return device
    half = replace(device, dtype=torch.bfloat16)
    return half if all(loss(tower, device, half) <= MOST_MEAN_LOSS for tower in towers) else device


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices itself; where it does not, it is slower than float32."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def loss(tower: Tower, plain: Device, fast: Device) -> float:
    """Return the mean of 1 less the cosine of vectors of the same pictures on two devices."""
    looks = probes(tower)
    unmarked = np.zeros(len(looks), np.bool_)
    expected = RunningTower(tower, plain).embed(looks, unmarked)
    found = RunningTower(replace(tower, module=deepcopy(tower.module)), fast).embed(looks, unmarked)
    lost = 1.0 - np.einsum("ij,ij->i", expected.astype(np.float64), found.astype(np.float64))
    return float(lost.mean()) if np.isfinite(lost).all() else float("inf")


def probes(tower: Tower) -> Looks:
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
        looks.append(tower.geometry.frame.look(Image.fromarray(scaled), crop=False))
    return np.concatenate(looks)
