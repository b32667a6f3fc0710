"""Learning curves: the accuracy with fewer examples, and what more of them are expected to be worth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from core.collections import Metric, RuleName
from core.vectors import Vectors
from index.fits import Fit
from index.learning import Learner
from index.supports import Floats, Ids, Supports, places_of

SIZES = (1, 2, 5, 10, 20, 50, 100)
DRAWS = 8
MOST_ROWS = 2_000  # supports that a draw is fitted to, and that it is asked about
MORE = 5  # examples that a forecast adds
PRIOR = 4.0  # supports' worth of the accuracy over all classes in that of one class
TAIL, SPREADS = 0.1, 1.2816  # of an interval that contains 80 %


@dataclass(frozen=True, slots=True)
class Point:
    """The accuracy with so many examples of each class."""

    examples: int
    accuracy: float
    standard_error: float
    classes: int
    """Classes with more supports than that, which were asked about."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Accuracies with more and more examples, and the power law of the share of wrong answers."""

    points: tuple[Point, ...]
    exponent: float
    """The share of wrong answers falls with examples ** -exponent."""
    exponent_error: float


@dataclass(frozen=True, slots=True)
class Worth:
    """By how much the recall of a class is expected to rise, and the interval that contains it at 80 %."""

    rise: float
    low: float
    high: float


def learning_curve(supports: Supports, rule: RuleName, metric: Metric) -> Curve | None:
    """Fit a rule to examples drawn from the supports, and ask about the others; None without two sizes.

    The size of a draw is the same for each class, or all that it has. Only classes with more supports are
    asked about, and only sizes that half of the classes allow.
    """
    counts = supports.counts[supports.counts > 0]
    if len(counts) < 2:
        return None
    usual = int(np.median(counts))
    sizes = sorted({size for size in (*SIZES, usual - 1) if 1 <= size < usual})
    points = [_point(supports, size, rule, metric) for size in sizes if size * len(counts) <= MOST_ROWS]
    if len(points) < 2:
        return None
    return Curve(tuple(points), *_power_law(points))


def worth(curve: Curve, wrong: int, judged: int, accuracy: float, *, more: int = MORE) -> Worth:
    """Return what `more` examples of a class are worth, of whose left-out supports so many were wrong.

    The share of wrong answers falls by the power law of all classes together; the share now is the class's
    own, drawn towards that of all classes, since a few supports say little.
    """
    a, b = wrong + PRIOR * (1.0 - accuracy), judged - wrong + PRIOR * accuracy

    def rise(error: float, exponent: float) -> float:
        now: float = error * (judged / max(judged - 1, 1)) ** -exponent  # with the support that was left out
        gain: float = now * (1.0 - ((judged + more) / max(judged, 1)) ** -exponent)
        return gain

    slow, fast = (max(curve.exponent + sign * SPREADS * curve.exponent_error, 0.0) for sign in (-1, 1))
    low, high = (float(betaincinv(max(a, 1e-3), max(b, 1e-3), share)) for share in (TAIL, 1.0 - TAIL))
    return Worth(rise(a / (a + b), curve.exponent), rise(low, slow), rise(high, fast))


def _point(supports: Supports, size: int, rule: RuleName, metric: Metric) -> Point:
    able = np.flatnonzero(supports.counts[supports.columns] > size)
    right, asked, accuracies = 0, 0, []
    for number in range(DRAWS):
        order = np.random.default_rng(number).permutation(len(supports.ids))
        places = np.empty(len(order), np.int64)
        places[order] = places_of(supports.columns[order])
        queries = able[places[able] >= size]
        queries = queries[:: max(math.ceil(len(queries) / MOST_ROWS), 1)]
        scores = fit_to(subset(supports, np.flatnonzero(places < size)), rule, metric).scores(
            supports.vectors[queries]
        )
        hits = scores.argmax(axis=1) == supports.columns[queries]
        accuracies.append(float(hits.mean()))
        right, asked = right + int(hits.sum()), asked + len(hits)
    accuracy = float(np.mean(accuracies))
    among = right / asked
    error = math.sqrt(np.var(accuracies) / DRAWS + among * (1 - among) / max(len(able), 1))
    return Point(size, accuracy, error, len(np.unique(supports.columns[able])))


def _power_law(points: list[Point]) -> tuple[float, float]:
    """Fit log error to log examples by weighted least squares; return the exponent and its standard error."""
    examples = np.log([point.examples for point in points])
    wrong = np.array([max(1.0 - point.accuracy, 1e-3) for point in points])
    noise = np.array([max(point.standard_error, 1e-3) for point in points]) / wrong
    weights = noise**-2
    middle = np.average(examples, weights=weights)
    spread = float((weights * (examples - middle) ** 2).sum())
    slope = float((weights * (examples - middle) * np.log(wrong)).sum()) / spread
    return max(-slope, 0.0), spread**-0.5


def subset(supports: Supports, rows: Ids) -> Supports:
    """Return some of the supports, with the same columns."""
    columns, vectors = supports.columns[rows], supports.vectors[rows]
    sums = np.zeros_like(supports.sums)
    np.add.at(sums, columns, vectors.astype(np.float64))
    counts = np.bincount(columns, minlength=len(supports.counts))
    return Supports(supports.ids[rows], columns, vectors, supports.class_ids, counts, sums)


def fit_to(supports: Supports, rule: RuleName, metric: Metric) -> Fit:
    """Fit a rule, named as it is used, to supports, without a prior."""

    def search(queries: Vectors, k: int) -> tuple[np.ndarray, Ids]:
        similarities = queries @ supports.vectors.T
        rows = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(similarities, rows, axis=1), rows

    return Learner(search).fit(rule, metric, supports, None)


def class_errors(columns: Ids, named: Ids, classes: int) -> tuple[Ids, Ids]:
    """Return (C,), the wrong answers of each class, and (C,), its answers."""
    return np.bincount(columns[named != columns], minlength=classes), np.bincount(columns, minlength=classes)


def overall(wrong: Ids, judged: Ids) -> float:
    """Return the accuracy over all classes."""
    total: Floats = np.asarray(judged.sum(), np.float64)
    return float(1.0 - wrong.sum() / total) if total else 0.0
