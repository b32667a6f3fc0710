"""Networks that take pixels as they are: the colour normalisation is their first step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from encoders.device import Device
from encoders.geometry import Pixels
from encoders.tower import Tower

Forward = Callable[[Pixels], npt.NDArray[np.float32]]
"""Maps n views to (n, dim) features of any length."""


class Scaled(nn.Module):
    """A network preceded by its colour normalisation: maps views to (n, dim) float32."""

    def __init__(self, tower: Tower, device: Device) -> None:
        super().__init__()
        self.network: nn.Module = tower.module.eval().to(device.name, device.dtype)
        self.network = self.network.to(memory_format=torch.channels_last)
        self._dtype = device.dtype
        self._mean = torch.tensor(tower.geometry.mean, device=device.name).view(3, 1, 1)
        self._std = torch.tensor(tower.geometry.std, device=device.name).view(3, 1, 1)

    def forward(self, views: Tensor) -> Tensor:
        """Map (n, height, width, 3) uint8 to (n, dim) float32."""
        # (n, h, w, 3) seen as (n, 3, h, w) already lies in memory as channels_last
        batch = views.permute(0, 3, 1, 2).float() / 255
        features: Tensor = self.network(((batch - self._mean) / self._std).to(self._dtype))
        return features.float()
