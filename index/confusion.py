"""Predictions of judged supports: precision, recall, F1, the confusion matrix and confused pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array, triu

from core.collections import ClassKind
from core.report import (
    Average,
    ClassLine,
    ConfusedCell,
    ConfusedPair,
    Confusion,
    Listed,
    judgement_of,
)
from index.supports import Floats, Ids, Supports

MATRIX_MOST = 100  # classes of a matrix; with more classes most cells are empty
CELLS_MOST = 1_000
PAIRS_MOST = 50
DIGITS = 6  # decimal places


@dataclass(frozen=True, slots=True)
class Judged:
    """C classes in the order of their labels, and the predictions of their supports."""

    labels: Sequence[str]
    kinds: Sequence[ClassKind]
    supports: Ids
    """(C,)"""
    counts: Any
    """(C, C) sparse: row i counts the predictions of supports of class i"""

    @property
    def judged(self) -> Ids:
        """(C,), the number of judged supports."""
        return np.asarray(self.counts.sum(axis=1)).ravel()


def judge(
    supports: Supports, labels: Sequence[str], kinds: Sequence[ClassKind], rows: Ids, probabilities: Floats
) -> Judged:
    """Count the predictions in (len(rows), C) probabilities; rows with a NaN are not counted."""
    n = len(labels)
    order = sorted(range(n), key=lambda column: labels[column])
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    _, own, named = predictions(supports, rows, probabilities)
    cells = coo_array((np.ones(len(own), np.int64), (place[own], place[named])), shape=(n, n))
    return Judged(
        labels=[labels[column] for column in order],
        kinds=[kinds[column] for column in order],
        supports=supports.counts[order],
        counts=csr_array(cells),
    )


def predictions(supports: Supports, rows: Ids, probabilities: Floats) -> tuple[Ids, Ids, Ids]:
    """Return the judged ones of these rows, their own columns and the predicted ones; NaN is not judged."""
    if not probabilities.shape[1]:
        nothing = np.empty(0, np.int64)
        return nothing, nothing, nothing
    valid = np.isfinite(probabilities).all(axis=1)
    return rows[valid], supports.columns[rows[valid]], probabilities[valid].argmax(axis=1)


def table(judged: Judged) -> tuple[tuple[ClassLine, ...], Average | None, Average | None]:
    """Return the rows of the classes, and the macro and weighted averages over the judged ones.

    The numbers equal scikit-learn's `classification_report` (tested), which takes seconds to import.
    """
    support = judged.judged
    metrics = _class_metrics(judged.counts)
    shown = np.round(metrics, DIGITS).tolist()
    able = support > 0
    lines = []
    for column, label in enumerate(judged.labels):
        precision, recall, f1 = shown[column] if able[column] else (None, None, None)
        enrolled = int(judged.supports[column])
        lines.append(
            ClassLine(
                label=label,
                kind=judged.kinds[column],
                supports=enrolled,
                judged=int(support[column]),
                judgement=judgement_of(enrolled),
                precision=precision,
                recall=recall,
                f1=f1,
            )
        )
    if not able.any():
        return tuple(lines), None, None
    return (
        tuple(lines),
        _average(metrics[able], np.ones(int(able.sum())), int(support.sum())),
        _average(metrics[able], support[able], int(support.sum())),
    )


def _class_metrics(counts: Any) -> Floats:
    """Return (C, 3): precision, recall and F1 of each class; precision is 0 if it was never predicted."""
    right = counts.diagonal().astype(np.float64)
    named, judged = np.asarray(counts.sum(axis=0)).ravel(), np.asarray(counts.sum(axis=1)).ravel()
    parts = [
        right / np.maximum(named, 1),
        right / np.maximum(judged, 1),
        2 * right / np.maximum(named + judged, 1),
    ]
    return np.stack(parts, axis=1)


def _average(metrics: Floats, weights: Ids | Floats, judged: int) -> Average:
    precision, recall, f1 = np.round(np.average(metrics, axis=0, weights=weights), DIGITS).tolist()
    return Average(precision=precision, recall=recall, f1=f1, judged=judged)


def matrix(judged: Judged) -> Confusion:
    """Return the confusion matrix; of more than a hundred classes, the most confused ones."""
    off = _off_diagonal(judged.counts)
    complete = len(judged.labels) <= MATRIX_MOST
    shown: Ids = np.arange(len(judged.labels))
    if not complete:
        wrong = np.bincount(off.row, off.data, len(shown)) + np.bincount(off.col, off.data, len(shown))
        shown = np.sort(np.argsort(-wrong, kind="stable")[:MATRIX_MOST])
    counts = judged.counts[shown][:, shown].toarray() if len(shown) else np.empty((0, 0), np.int64)
    return Confusion(
        labels=tuple(judged.labels[column] for column in shown.tolist()),
        counts=tuple(tuple(line) for line in counts.tolist()),
        complete=complete,
        errors=None if complete else _cells(judged, off),
    )


def _cells(judged: Judged, off: Any) -> Listed[ConfusedCell]:
    def cell(place: int) -> ConfusedCell:
        return ConfusedCell(
            label=judged.labels[off.row[place]],
            named=judged.labels[off.col[place]],
            count=int(off.data[place]),
        )

    order = np.lexsort((off.col, off.row, -off.data))
    return Listed[ConfusedCell](total=len(order), items=tuple(map(cell, order[:CELLS_MOST].tolist())))


def pairs(judged: Judged) -> Listed[ConfusedPair]:
    """Return the pairs of confused classes, the most often confused first."""
    counts, support = judged.counts, judged.judged
    both = triu(counts + counts.T, k=1).tocoo()
    rates = both.data / np.maximum(support[both.row] + support[both.col], 1)
    order = np.lexsort((both.col, both.row, -rates, -both.data))

    def pair(place: int) -> ConfusedPair:
        first, second = int(both.row[place]), int(both.col[place])
        return ConfusedPair(
            labels=(judged.labels[first], judged.labels[second]),
            count=int(both.data[place]),
            rate=round(float(rates[place]), DIGITS),
            taken=(int(counts[first, second]), int(counts[second, first])),
        )

    return Listed[ConfusedPair](total=len(order), items=tuple(map(pair, order[:PAIRS_MOST].tolist())))


def _off_diagonal(counts: Any) -> Any:
    cells = counts.tocoo()
    off = cells.row != cells.col
    return coo_array((cells.data[off], (cells.row[off], cells.col[off])), shape=cells.shape)
