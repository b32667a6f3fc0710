"""Few-shot episodes: how often the nearest class mean is right, over random draws of classes and supports."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.vectors import Vectors

Labels = npt.NDArray[np.int64]

QUERIES = 15  # of each class in an episode


def episode_accuracies(
    vectors: Vectors, labels: Labels, *, ways: int, shots: int, draws: int, seed: int
) -> list[float]:
    """Return the accuracy of each draw: cosine to class means of `shots` supports, 15 queries a class."""
    rng = np.random.default_rng(seed)
    return [_episode(vectors, labels, ways, shots, rng) for _ in range(draws)]


def class_means(vectors: Vectors, labels: Labels) -> Vectors:
    """Return the (classes, dim) means of vectors, of unit length, in the order of their labels."""
    means = np.stack([vectors[labels == label].mean(0) for label in np.unique(labels)])
    unit: Vectors = means / np.linalg.norm(means, axis=1, keepdims=True)
    return unit


def _episode(vectors: Vectors, labels: Labels, ways: int, shots: int, rng: np.random.Generator) -> float:
    chosen = rng.choice(np.unique(labels), ways, replace=False)
    rows = [rng.permutation(np.flatnonzero(labels == label))[: shots + QUERIES] for label in chosen]
    supports = np.concatenate([row[:shots] for row in rows])
    queries = np.concatenate([row[shots:] for row in rows])
    place = np.repeat(np.arange(ways), shots)
    truth = np.repeat(np.arange(ways), [len(row) - shots for row in rows])
    answers = (vectors[queries] @ class_means(vectors[supports], place).T).argmax(1)
    return float((answers == truth).mean())
