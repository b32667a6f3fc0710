"""The zero-shot prior: class probabilities from class names, by an encoder's text side."""

from __future__ import annotations

from copy import copy

import numpy as np

from core.vectors import Vectors
from index.calibration import softmax
from index.supports import Floats, Ids
from index.texts import LabelVectors


class Prior:
    """Softmax of scaled cosines to the labels' vectors (Radford et al. 2021, arXiv 2103.00020)."""

    def __init__(self, texts: LabelVectors, class_ids: Ids, dim: int) -> None:
        self.vectors = np.zeros((len(class_ids), dim))
        self.named = np.array([int(class_id) in texts.vectors for class_id in class_ids], bool)
        for column in np.flatnonzero(self.named):
            self.vectors[column] = texts.vectors[int(class_ids[column])]
        self.scale = texts.scale
        self.trust = np.ones(len(class_ids))

    def trusted(self, trust: float, counts: Ids) -> Prior:
        """Return the prior with a lower trust in classes with pictures (C,); others keep full trust."""
        other = copy(self)
        other.trust = np.where(counts > 0, trust, 1.0)
        return other

    def __call__(self, queries: Vectors) -> Floats:
        """Map (m, d) to (m, C) rows that sum to 1 at full trust, or to 0 if no class has a text."""
        if not self.named.any():
            return np.zeros((len(queries), len(self.named)))
        cosines = self.scale * (queries.astype(np.float64) @ self.vectors.T)
        prior: Floats = self.trust * softmax(np.where(self.named, cosines, -np.inf))
        return prior

    def is_like(self, other: Prior | None) -> bool:
        """Return whether another prior was made from the same objects."""
        return (
            other is not None
            and self.scale == other.scale
            and np.array_equal(self.named, other.named)
            and np.array_equal(self.vectors, other.vectors)
        )
