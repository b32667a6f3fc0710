"""Towers where they run: on their device, in its number format, with their colour scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from core.vectors import Vectors
from encoders.device import Device
from encoders.geometry import Looks
from encoders.tower import TextTower, Tower
from encoders.unit import to_unit


class RunningTower:
    """A frozen network on a device."""

    def __init__(self, tower: Tower, device: Device) -> None:
        self.geometry = tower.geometry
        self.module: nn.Module = tower.module.eval().to(device.name, device.dtype)
        self.module = self.module.to(memory_format=torch.channels_last)
        self._device = device
        self._mean = torch.tensor(tower.geometry.mean, device=device.name).view(3, 1, 1)
        self._std = torch.tensor(tower.geometry.std, device=device.name).view(3, 1, 1)
        # a real forward is the one size that cannot be wrong, and it warms the kernels up
        blank = np.zeros((1, self.geometry.height, self.geometry.width, 3), np.uint8)
        self.dim = self._features(torch.from_numpy(blank)).shape[1]

    def embed(self, looks: Looks, mirrored: npt.NDArray[np.bool_]) -> Vectors:
        """Map n looks, and behind them the mirror images of those marked, to unit rows, NaN where unfit."""
        pixels = torch.from_numpy(looks)
        pixels = torch.cat([pixels, pixels[torch.from_numpy(mirrored)].flip(2)]) if mirrored.any() else pixels
        # a batch of several views takes no more memory than one of a single view
        features = [self._features(part) for part in _parts(pixels, self._device.batch_size)]
        return to_unit(torch.cat(features).cpu().numpy())

    @torch.inference_mode()
    def _features(self, pixels: Tensor) -> Tensor:
        # (n, h, w, 3) seen as (n, 3, h, w) already lies in memory as channels_last
        batch = pixels.to(self._device.name).permute(0, 3, 1, 2).float().div_(255)
        features: Tensor = self.module(((batch - self._mean) / self._std).to(self._device.dtype))
        return features.float()


class RunningText:
    """A text half on a device, in float32: labels are few, and their vectors are kept."""

    def __init__(self, tower: TextTower, device: Device) -> None:
        self._module = tower.module.eval().to(device.name, torch.float32)
        self._tokenize = tower.tokenize
        self._device = device

    @torch.inference_mode()
    def embed(self, texts: list[str]) -> Vectors:
        """Map n texts to unit rows, NaN where unfit; what is longer than the network reads is cut off."""
        parts = _parts(self._tokenize(texts), self._device.batch_size)
        return to_unit(torch.cat([self._module(ids.to(self._device.name)) for ids in parts]).cpu().numpy())


def _parts(batch: Tensor, size: int) -> list[Tensor]:
    return [batch[at : at + size] for at in range(0, len(batch), size)]
