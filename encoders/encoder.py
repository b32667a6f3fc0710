"""One encoder, ready to run: pictures in, unit vectors out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from core.vectors import Vectors
from encoders.device import Device
from encoders.geometry import Prepared
from encoders.tower import Tower

SHORTEST = 1e-6  # a feature below this length has no direction


class Encoder:
    """A frozen network on a device.

    `prepare` is safe in many threads and is meant for the threads that decode; `embed` belongs to one thread
    at a time, which keeps the cores of a worker for one batch.
    """

    def __init__(self, spec: str, tower: Tower, device: Device) -> None:
        self.spec = spec
        self.device = device.name
        self.precision = device.precision
        self.batch_size = device.batch_size
        self._dtype = device.dtype
        self._geometry = tower.geometry
        self._module = _placed(tower.module, device)
        self._mean = torch.tensor(tower.geometry.mean, device=device.name).view(3, 1, 1)
        self._std = torch.tensor(tower.geometry.std, device=device.name).view(3, 1, 1)
        # a real forward is the one size that cannot be wrong, and it warms the kernels up
        self.dim: int = self._features([np.zeros((*self.input_size, 3), np.uint8)]).shape[1]

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width in pixels of a prepared picture."""
        return self._geometry.height, self._geometry.width

    def prepare(self, picture: Image.Image) -> Prepared:
        """Squash an upright picture of any size to (height, width, 3) uint8 RGB at the input size."""
        return self._geometry.fit(picture)

    def embed(self, prepared: Sequence[Prepared]) -> Vectors:
        """Map n prepared pictures to (n, dim) float32 vectors of unit length.

        A picture whose feature is not finite or has no length gives a row of NaN, so that its neighbours in
        the batch are not lost with it.
        """
        if not prepared:
            return np.empty((0, self.dim), np.float32)
        features = self._features(prepared)
        lengths = features.norm(dim=1, keepdim=True)
        usable = torch.isfinite(lengths) & (lengths >= SHORTEST)
        vectors: Vectors = torch.where(usable, features / lengths, torch.nan).cpu().numpy()
        return vectors

    @torch.inference_mode()
    def _features(self, prepared: Sequence[Prepared]) -> Tensor:
        pixels = torch.from_numpy(np.stack(prepared)).to(self.device)
        # (n, h, w, 3) seen as (n, 3, h, w) already lies in memory as channels_last
        scaled = (pixels.permute(0, 3, 1, 2).float().div_(255) - self._mean) / self._std
        features: Tensor = self._module(scaled.to(self._dtype))
        return features.float()


def _placed(module: nn.Module, device: Device) -> nn.Module:
    return module.eval().to(device.name, device.dtype).to(memory_format=torch.channels_last)
