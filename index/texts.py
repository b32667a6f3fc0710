"""The text vectors of labels by class: the prior of a class before it has pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.vectors import Vector


@dataclass(frozen=True, slots=True)
class LabelVectors:
    """Unit vectors of labels by class id, and the scale at which the encoder compares them with pictures."""

    vectors: Mapping[int, Vector]
    scale: float
