"""Random views of pictures: a crop, a flip and a change of colour, all in one resampling."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from encoders.compact.training.pictures import Pixels
from encoders.geometry import IMAGENET_MEAN, IMAGENET_STD

RATIO = 4 / 3
JITTER = 0.3


def random_views(pixels: Pixels, side: int, smallest: float, rng: np.random.Generator, device: str) -> Tensor:
    """Map (n, s, s, 3) uint8 to normalised (n, 3, side, side) float32 with `smallest` to all of each area."""
    batch = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float().div_(255)
    if batch.shape[-1] > 1.5 * side:
        batch = nn.functional.avg_pool2d(batch, 2)  # what bilinear sampling would alias
    grid = _grid(len(batch), side, smallest, rng).to(device)
    views = nn.functional.grid_sample(batch, grid, padding_mode="reflection", align_corners=False)
    return normalise(_recolour(views, rng))


def normalise(batch: Tensor) -> Tensor:
    """Map (n, 3, h, w) colours of 0 to 1 to the network's scale, in channels_last."""
    mean = torch.tensor(IMAGENET_MEAN, device=batch.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=batch.device).view(3, 1, 1)
    return ((batch - mean) / std).contiguous(memory_format=torch.channels_last)


def _grid(count: int, side: int, smallest: float, rng: np.random.Generator) -> Tensor:
    area = rng.uniform(smallest, 1, count)
    ratio = np.exp(rng.uniform(-math.log(RATIO), math.log(RATIO), count) / 2)
    width, height = np.minimum(np.sqrt(area) * ratio, 1), np.minimum(np.sqrt(area) / ratio, 1)
    left, top = rng.uniform(-1, 1, count) * (1 - width), rng.uniform(-1, 1, count) * (1 - height)
    flip = rng.choice([-1.0, 1.0], count)
    zero = np.zeros(count)
    affine = np.stack([width * flip, zero, left, zero, height, top], axis=1).reshape(count, 2, 3)
    return nn.functional.affine_grid(
        torch.from_numpy(affine.astype(np.float32)), [count, 3, side, side], align_corners=False
    )


def _recolour(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness, contrast and saturation by up to 30 % each; a tenth loses its colour."""
    brightness, contrast, saturation = (
        torch.from_numpy(rng.uniform(1 - JITTER, 1 + JITTER, (len(batch), 1, 1, 1)).astype(np.float32)).to(
            batch.device
        )
        for _ in range(3)
    )
    grey = torch.from_numpy((rng.random((len(batch), 1, 1, 1)) < 0.1).astype(np.float32)).to(batch.device)
    saturation = saturation * (1 - grey)
    batch = batch * brightness
    middle = batch.mean((1, 2, 3), keepdim=True)
    batch = middle + (batch - middle) * contrast
    luma = batch.mean(1, keepdim=True)
    return (luma + (batch - luma) * saturation).clamp_(0, 1)
