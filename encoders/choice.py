"""Choice of runtime and number format for an encoder, by rule, so that every run uses the same."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import structlog
import torch
from PIL import Image

from core.vectors import Vectors
from encoders.device import PRECISIONS, Device, Runtime
from encoders.geometry import Geometry, Pixels
from encoders.openvino_forward import Translation, is_installed
from encoders.running import RunningTower
from encoders.tower import Tower
from encoders.unit import to_unit

log = structlog.get_logger("exemplar.encoders")

PROBES, PROBE_SIDE = 8, 256
# On 300 photographs this bound means a cosine of at least 0.999 to float32: ViT-B/32 in bf16 meets it
# (least cosine 0.9999), DeiT-Tiny (0.998) and EfficientNet-Lite2 (0.994) do not.
MAX_MEAN_LOSS = 6e-5
# The same for directions from the mean of the pictures, since some networks' vectors are all similar:
# ViT-B/32 loses 1.1e-3, DeiT-Tiny 1.5e-3, EfficientNet-Lite2 1.9e-2.
MAX_CENTRED_LOSS = 2e-3
ASKED = 150.0  # times that if a half format was requested: only a wrong translation differs by more


def run_chosen(tower: Tower, device: Device, *, precision: str, runtime: str) -> RunningTower:
    """Run a tower in the first way that reproduces torch's float32 vectors; nothing is timed.

    Ways are tried in order of measured speed (docs/encoders.md): OpenVINO before
    torch, on CPUs only, and for each runtime the best half format before float32. With a
    precision other than `auto` that format is used unchecked, and with the runtime `torch` only torch is.
    """
    plain = RunningTower(tower, device)
    groups = [
        [replace(device, runtime=one, dtype=dtype) for dtype in formats]
        for one in _runtimes(device, runtime)
        for formats in _formats(device, precision)
    ]
    if groups[0] == [device]:  # there is nothing to compare
        return plain
    pictures = probes(tower.geometry)
    expected = _embed(plain, pictures)
    run = _runner(tower)
    bound = ASKED if precision in ("bf16", "fp16") else 1.0
    for ways in groups:
        if ways == [device]:
            return plain
        tried = [_tried(run, way, pictures, expected) for way in ways]
        running, lost = min(tried, key=lambda each: each[1])
        if running is not None and lost <= bound:
            return running
    return plain


def _runtimes(device: Device, wanted: str) -> list[Runtime]:
    translates = device.name == "cpu" and wanted == "auto" and is_installed()
    return [Runtime.OPENVINO, Runtime.TORCH] if translates else [Runtime.TORCH]


def _formats(device: Device, wanted: str) -> list[list[torch.dtype]]:
    """Return groups of formats, faster group first; the most accurate format of a group is used."""
    if wanted != "auto":
        return [[PRECISIONS[wanted]]]
    halves = [torch.bfloat16] if device.name == "cpu" and cpu_has_bf16() else []
    if device.name != "cpu":
        halves = [torch.float16, torch.bfloat16]
    return [group for group in (halves, [torch.float32]) if group]


def _runner(tower: Tower) -> Callable[[Device], RunningTower]:
    """Return a function that runs copies of a tower, or one translation of it for all formats."""
    translation = Translation(tower)

    def run(device: Device) -> RunningTower:
        if device.runtime is Runtime.OPENVINO:
            return RunningTower(tower, device, translation)
        return RunningTower(replace(tower, module=deepcopy(tower.module)), device)

    return run


def _tried(
    run: Callable[[Device], RunningTower], device: Device, pictures: Pixels, expected: Vectors
) -> tuple[RunningTower | None, float]:
    """Return a tower running on a device, and the deviation of its vectors; None if it cannot run so."""
    try:
        running = run(device)
        lost = difference(expected, _embed(running, pictures))
    except Exception as error:  # the boundary to runtimes: they support most networks, not all
        log.info(
            "runtime_failed",
            device=device.name,
            precision=device.precision,
            runtime=device.runtime.value,
            error=f"{type(error).__name__}: {error}"[:300],
        )
        return None, float("inf")
    return running, lost


def _embed(running: RunningTower, pictures: Pixels) -> Vectors:
    """Embed pictures, one of them alone, to detect a network translated for one batch size only."""
    unmarked = np.zeros(len(pictures), np.bool_)
    return np.concatenate(
        [running.embed(part, unmarked[: len(part)]) for part in (pictures[:1], pictures[1:])]
    )


def cpu_has_bf16() -> bool:
    """Return whether this CPU multiplies bfloat16 matrices natively; otherwise it is slower than float32."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def difference(expected: Vectors, found: Vectors) -> float:
    """Return the deviation of unit vectors of the same pictures computed in two ways; up to 1 they agree.

    It is the mean of 1 minus their cosines, once as they are and once relative to the mean of those expected,
    each divided by its bound, whichever is larger.
    """
    if not np.isfinite(found).all():
        return float("inf")
    lost = _mean_loss(expected, found) / MAX_MEAN_LOSS
    centre = expected.mean(axis=0)
    return max(lost, _mean_loss(to_unit(expected - centre), to_unit(found - centre)) / MAX_CENTRED_LOSS)


def _mean_loss(expected: Vectors, found: Vectors) -> float:
    lost = 1.0 - np.einsum("ij,ij->i", expected.astype(np.float64), found.astype(np.float64))
    return float(np.nan_to_num(lost).mean())  # identical vectors vanish once the mean is subtracted


def probes(geometry: Geometry) -> Pixels:
    """Return (PROBES, height, width, 3): the pictures on which ways are compared, in the input size."""
    return np.concatenate([geometry.frame.resize(picture, crop=False) for picture in noise()])


@cache
def noise() -> list[Image.Image]:
    """Return PROBES pictures: deterministic noise with the spectrum of natural pictures.

    The amplitude falls with the frequency (Field, 1987), so that networks see edges and areas.
    """
    rng = np.random.default_rng(0)
    down, across = np.fft.fftfreq(PROBE_SIDE), np.fft.rfftfreq(PROBE_SIDE)
    frequency = np.maximum(np.hypot(down[:, None], across[None]), 1 / PROBE_SIDE)[..., None]
    pictures = []
    for _ in range(PROBES):
        waves = np.fft.rfft2(rng.normal(size=(PROBE_SIDE, PROBE_SIDE, 3)), axes=(0, 1)) / frequency
        pixels = np.fft.irfft2(waves, axes=(0, 1))
        grey = pixels.mean(2, keepdims=True)  # colour channels of natural pictures are correlated
        mixed = grey + (pixels - grey) * 0.4
        scaled = np.clip(128 + 60 * (mixed - mixed.mean()) / mixed.std(), 0, 255).astype(np.uint8)
        pictures.append(Image.fromarray(scaled))
    return pictures
