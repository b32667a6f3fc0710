"""Towers running on their device, with their runtime, number format and colour normalisation."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from core.vectors import Vectors
from encoders.device import Device, Runtime
from encoders.geometry import Pixels
from encoders.openvino_forward import Translation
from encoders.scaled import Forward, Scaled
from encoders.tower import TextTower, Tower
from encoders.unit import to_unit


def nothing() -> None:
    """Do nothing before a forward pass."""


class RunningTower:
    """A frozen network on a device."""

    def __init__(self, tower: Tower, device: Device, translation: Translation | None = None) -> None:
        self.geometry = tower.geometry
        self.text = tower.text
        self.features = tower.features
        self.device = device
        self._step = min(step_of(tower, device), device.batch_size)
        self._translation = translation
        self._forward = forward_of(tower, device) if translation is None else translation.compiled(device)
        # a real forward pass gives the exact size, and it warms the kernels up
        blank = np.zeros((1, self.geometry.height, self.geometry.width, 3), np.uint8)
        self.dim = self._forward(blank).shape[1]

    def second(self, threads: int) -> RunningTower:
        """Return the same network for another thread, with its own number of compute threads.

        Both may then compute at once. Weights are shared where the runtime allows it. Only the first call
        after opening can do this.
        """
        other = copy(self)
        if self._translation is not None:
            other._forward = self._translation.compiled(self.device, threads)
        self.forget()
        return other

    def forget(self) -> None:
        """Free what only `second` needs."""
        self._translation = None

    def embed(
        self, views: Pixels, mirrored: npt.NDArray[np.bool_], before_pass: Callable[[], None] = nothing
    ) -> Vectors:
        """Map n views, then the mirror images of those marked, to unit rows, NaN if not finite."""
        if mirrored.any():
            views = np.concatenate([views, views[mirrored][:, :, ::-1]])
        # a batch of several views takes no more memory than one of a single view
        size = self._step
        parts = []
        for at in range(0, len(views), size):
            before_pass()
            parts.append(self._forward(views[at : at + size]))
        return to_unit(np.concatenate(parts))


def step_of(tower: Tower, device: Device) -> int:
    """Return how many pictures a forward pass takes, by measurements in docs/throughput.md.

    On a CPU the many maps of a convolutional network leave its caches as soon as there are two pictures: one
    at a time is up to 30 % faster than 16. Transformers want a few, units for half formats large matrices.
    """
    if device.name != "cpu" or device.dtype is not torch.float32:
        return device.batch_size
    layers = list(tower.module.modules())
    convolutions = sum(isinstance(layer, nn.Conv2d) for layer in layers)
    return 1 if convolutions > sum(isinstance(layer, nn.Linear) for layer in layers) else 4


def forward_of(tower: Tower, device: Device) -> Forward:
    """Move a tower to its device and return its forward function."""
    if device.runtime is Runtime.OPENVINO:
        return Translation(tower).compiled(device)
    scaled = Scaled(tower, device)

    @torch.inference_mode()
    def forward(views: Pixels) -> npt.NDArray[np.float32]:
        features: npt.NDArray[np.float32] = scaled(torch.from_numpy(views).to(device.name)).cpu().numpy()
        return features

    return forward


class RunningText:
    """A text half on a device, in float32: labels are few, and their vectors are stored."""

    def __init__(self, tower: TextTower, device: Device) -> None:
        self._module = tower.module.eval().to(device.name, torch.float32)
        self._tokenize = tower.tokenize
        self._device = device

    @torch.inference_mode()
    def embed(self, texts: list[str]) -> Vectors:
        """Map n texts to unit rows, NaN if not finite; texts beyond the context length are cut off."""
        ids = self._tokenize(texts)
        size = self._device.batch_size
        parts = [ids[at : at + size].to(self._device.name) for at in range(0, len(ids), size)]
        return to_unit(torch.cat([self._module(part) for part in parts]).cpu().numpy())
