"""The baselines of `benchmarks.labels`: class means, votes, and one-vs-rest logistic regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from cli.label_trial import Labelled
from core.vectors import Vectors
from index.label_metrics import Truth

Scores = np.ndarray
Baseline = Callable[[Labelled, Sequence[str], Vectors], Scores]
"""Supports, labels and queries -> (m, L) scores."""


def to_means(supports: Labelled, names: Sequence[str], queries: Vectors) -> Scores:
    means = np.stack([supports.vectors[has(supports, name)].sum(axis=0) for name in names])
    return queries @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T


def vote(supports: Labelled, names: Sequence[str], queries: Vectors, *, voters: int) -> Scores:
    similarities = queries @ supports.vectors.T
    voters = min(voters, len(supports.vectors))
    nearest = np.argpartition(-similarities, voters - 1, axis=1)[:, :voters]
    weights = np.exp((np.take_along_axis(similarities, nearest, axis=1) - 1) / 0.07)
    bears = np.stack([has(supports, name) for name in names], axis=1)[nearest]
    return (weights[:, :, None] * bears).sum(axis=1) / weights.sum(axis=1, keepdims=True)


def logistic(supports: Labelled, names: Sequence[str], queries: Vectors, *, strength: float) -> Scores:
    columns = []
    for name in names:
        bears = has(supports, name)
        if bears.all():
            columns.append(np.ones(len(queries)))
            continue
        fitted = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
        columns.append(fitted.fit(supports.vectors, bears).predict_proba(queries)[:, 1])
    return np.stack(columns, axis=1)


FAMILIES: dict[str, list[tuple[str, Baseline]]] = {
    "class mean": [("", to_means)],
    "vote": [(f"of {n}", lambda *given, n=n: vote(*given, voters=n)) for n in (1, 3, 5, 10, 20)],
    "logistic": [(f"C {c:g}", lambda *given, c=c: logistic(*given, strength=c)) for c in (1.0, 10.0, 100.0)],
}


def best_threshold(truth: Truth, scores: Scores) -> tuple[float, float]:
    """Return the best micro F1 with one threshold for all labels, and that threshold."""
    order = np.argsort(-scores, axis=None, kind="stable")
    right = np.cumsum((truth == 1).ravel()[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + (truth == 1).sum())
    best = int(f1.argmax())
    return float(f1[best]), float(scores.ravel()[order[best]])


def has(supports: Labelled, name: str) -> np.ndarray:
    return np.array([name in labels for labels in supports.labels])
