"""Metrics of several labels a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from index.supports import Floats

BINS = 15  # of the expected calibration error (Guo et al. 2017, arXiv 1706.04599)

Truth = npt.NDArray[np.int8]
"""(m, L): 1 for present, 0 for absent, -1 where it is not stated."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Pictures with the truth about L labels, their probabilities, and which labels they were given."""

    truth: Truth
    """(m, L)"""
    probabilities: Floats
    """(m, L)"""
    given: npt.NDArray[np.bool_]
    """(m, L)"""

    @property
    def counts(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return how many are right, given and true of each label, each (L,), where the truth is stated."""
        right = ((self.truth == 1) & self.given).sum(axis=0)
        return right, ((self.truth >= 0) & self.given).sum(axis=0), (self.truth == 1).sum(axis=0)


def numbers(judged: Judged, labels: list[str]) -> dict[str, Any]:
    """Return the metrics as JSON. Labels without a true picture do not count in `map` and `macro_f1`."""
    right, given, true = judged.counts
    asked = true > 0
    f1 = _f1(right, given, true)
    precisions = [average_precision(judged, column) for column in range(len(labels))]
    stated = (judged.truth >= 0).all(axis=1)
    exact = ((judged.truth == 1) == judged.given).all(axis=1)[stated]
    return {
        "map": float(np.mean([value for value in precisions if value is not None])) if asked.any() else None,
        "micro_f1": float(_f1(right.sum(), given.sum(), true.sum())),
        "macro_f1": float(f1[asked].mean()) if asked.any() else None,
        "micro_precision": _share(right.sum(), given.sum()),
        "micro_recall": _share(right.sum(), true.sum()),
        "subset_accuracy": float(exact.mean()) if len(exact) else None,
        "per_label": {
            label: {
                "precision": _share(right[column], given[column]),
                "recall": _share(right[column], true[column]),
                "f1": float(f1[column]),
                "average_precision": precisions[column],
                "support": int(true[column]),
            }
            for column, label in enumerate(labels)
        },
        "ece": calibration_error(judged),
    }


def average_precision(judged: Judged, column: int) -> float | None:
    """Return the average precision of a label; None if no picture is known to bear it."""
    stated = judged.truth[:, column] >= 0
    truth = judged.truth[stated, column]
    if not truth.any():
        return None
    probabilities = judged.probabilities[stated, column]
    order = np.argsort(-probabilities, kind="stable")
    last = np.append(np.flatnonzero(np.diff(probabilities[order])), len(order) - 1)  # of those that are equal
    right = np.cumsum(truth[order], dtype=np.int64)[last]
    return float(np.sum(np.diff(right, prepend=0) * right / (last + 1)) / right[-1])


def calibration_error(judged: Judged) -> float:
    """Return the expected calibration error over all pairs of a picture and a label, in 15 bins."""
    stated = judged.truth >= 0
    truth, probabilities = judged.truth[stated], judged.probabilities[stated]
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    gaps = [
        abs(probabilities[bins == number].sum() - truth[bins == number].sum())
        for number in range(BINS)
        if (bins == number).any()
    ]
    return float(sum(gaps) / max(len(truth), 1))


def _f1(right: Any, given: Any, true: Any) -> Any:
    return 2 * right / np.maximum(given + true, 1)


def _share(part: Any, of: Any) -> float | None:
    return float(part / of) if of else None
