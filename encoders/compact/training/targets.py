"""The teachers' features -> what compact regresses: centred, and rotated to their main axes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from encoders.compact.network import DIM


@dataclass(frozen=True, slots=True)
class Axes:
    """Mean (1472,) and main axes (1472, 384) of the teachers' features over the training pictures."""

    mean: Tensor
    axes: Tensor

    def project(self, features: Tensor) -> Tensor:
        """Map (n, 1472) features to (n, 384) targets of unit length."""
        return nn.functional.normalize((features.float() - self.mean) @ self.axes)


def fit_axes(features: Tensor) -> Axes:
    """Find the axes by the covariance of (n, 1472) features."""
    mean = features.float().mean(0)
    centred = features.float() - mean
    _, axes = torch.linalg.eigh(centred.T @ centred)
    return Axes(mean, axes.flip(1)[:, :DIM].contiguous())
