"""Smoothed answers: the smoothing inputs of all chunks of a job to changed results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from core.collections import DecisionName
from core.errors import ExemplarError
from core.results import Result
from core.vectors import Vectors
from index.smoothing import SMALLEST, Probabilities, smooth
from worker.smoothing_inputs import SmoothingInputs

MOST_CELLS = 20_000_000  # pictures times classes: three float32 arrays of that size take 0.24 GB


class Smoother:
    """The answers to the pictures of one job, each smoothed over its nearest pictures.

    Unknown pictures stay unknown. Others become unknown if negative classes are now more probable than
    the best class, and ambiguous if that is less probable than the collection's rule requires.
    """

    def __init__(self, parts: Sequence[SmoothingInputs], top: int) -> None:
        """Smooth; raises `smooth_invalid` if there are too many for memory, or vectors of two encoders."""
        if len({part.encoder for part in parts}) > 1:
            raise ExemplarError("smooth_invalid", "the collection changed its encoder during the job")
        self._top = top
        classes = _classes(parts)
        places = {class_id: column for column, class_id in enumerate(classes)}
        self._labels = [label for label, _ in classes.values()]
        self._normal = np.array([normal for _, normal in classes.values()], bool)
        self._line = {int(item): line for line, item in enumerate(_joined(part.items for part in parts))}
        self._unknown = _joined(part.is_unknown for part in parts)
        self._certainty = np.repeat([part.certainty for part in parts], [len(part.items) for part in parts])
        if len(self._line) * len(classes) > MOST_CELLS:
            raise ExemplarError(
                "smooth_invalid",
                f"expected at most {MOST_CELLS:,} pictures times classes to smooth, "
                f"got {len(self._line):,} times {len(classes):,}",
            )
        prior: Probabilities = np.empty((len(self._line), len(classes)), np.float32)
        start = 0
        for part in parts:
            rows = slice(start, start + len(part.items))
            _fill(prior[rows], part, [places[int(class_id)] for class_id in part.class_ids])
            start = rows.stop
        vectors: Vectors = _joined(part.vectors for part in parts)
        self._probabilities = smooth(prior, vectors) if classes else prior

    def change(self, result: Result) -> Result:
        """Return the smoothed result; a failed one, or one without inputs, stays unchanged.

        The candidate set is dropped, since its coverage is unknown after smoothing.
        """
        line = self._line.get(result["item"])
        if line is None or result["status"] != "done":
            return result
        if not self._labels:  # there are no classes to choose from
            return {**result, "smoothed": True}
        probabilities = self._probabilities[line]
        order = np.argsort(-probabilities, kind="stable")[: self._top]
        decision = self._decision(line, probabilities, int(order[0]))
        return {
            **result,
            "decision": decision.value,
            "label": None if decision is DecisionName.UNKNOWN else self._labels[order[0]],
            "confidence": round(float(probabilities[order[0]]), 6),
            "candidates": [self._candidate(int(column), probabilities) for column in order],
            "candidate_set": None,
            **({"automatic": False} if result.get("automatic") else {}),  # the budget is for single answers
            "smoothed": True,
        }

    def _decision(self, line: int, probabilities: npt.NDArray[np.float32], best: int) -> DecisionName:
        negative = float(probabilities[~self._normal].sum())
        if self._unknown[line] or not self._normal[best] or negative >= probabilities[best]:
            return DecisionName.UNKNOWN
        if probabilities[best] < self._certainty[line]:
            return DecisionName.AMBIGUOUS
        return DecisionName.KNOWN

    def _candidate(self, column: int, probabilities: npt.NDArray[np.float32]) -> dict[str, Any]:
        return {"label": self._labels[column], "probability": float(probabilities[column])}


def _classes(parts: Sequence[SmoothingInputs]) -> dict[int, tuple[str, bool]]:
    """Return label and whether normal by class id, from the last part, since classes can be renamed."""
    return {
        int(class_id): (label, bool(normal))
        for part in parts
        for class_id, label, normal in zip(part.class_ids, part.labels, part.is_normal, strict=True)
    }


def _fill(prior: Probabilities, part: SmoothingInputs, places: Sequence[int]) -> None:
    """Fill (n, C) rows, which sum to 1; classes not among a row's best share the rest of its probability."""
    best = part.columns.shape[1]
    left = np.maximum(1.0 - part.probabilities.sum(axis=1, keepdims=True), 0.0)
    prior[:] = left / max(prior.shape[1] - best, 1)
    if best:
        np.put_along_axis(prior, np.array(places, np.int64)[part.columns], part.probabilities, axis=1)
    prior /= np.maximum(prior.sum(axis=1, keepdims=True), SMALLEST)


def _joined(arrays: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(list(arrays))
