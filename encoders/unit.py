"""Features of any length to vectors of unit length, and NaN for those without a direction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.vectors import Vectors

SHORTEST = 1e-6  # a feature below this length has no direction


def to_unit(features: npt.NDArray[np.float32]) -> Vectors:
    """Scale the rows of (n, dim) to unit length; one that is not finite or has no length becomes NaN."""
    with np.errstate(over="ignore", invalid="ignore"):  # overflows become NaN like the rest
        lengths = np.linalg.norm(features, axis=1, keepdims=True)
    usable = np.isfinite(lengths) & (lengths >= SHORTEST)
    scaled: Vectors = np.divide(
        features, lengths, out=np.full(features.shape, np.nan, np.float32), where=usable
    )
    return scaled


def mean_direction(vectors: Vectors, starts: npt.NDArray[np.int64]) -> Vectors:
    """Average unit rows in runs that start at `starts`: (m, dim) -> (len(starts), dim) of unit length."""
    return to_unit(np.add.reduceat(vectors, starts, axis=0))
