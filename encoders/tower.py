"""A network with the geometry of its input: what an adapter makes and an `Encoder` runs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from encoders.geometry import Geometry


@dataclass(frozen=True, slots=True)
class Tower:
    """A module that maps normalised (n, 3, height, width) pictures to (n, dim) features of any length."""

    module: nn.Module
    geometry: Geometry
