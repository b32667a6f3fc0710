"""How good the report's forecast is of what five more pictures of a class are worth.

    python -m benchmarks.learning_curve [--cache DIR]

Four groups of 20 sports of `shared/data/sports80-128px.zip`. At 5, 10 and 20 examples of each class, a report
says what 5 more of one class are worth; then 5 held-back pictures of that class alone are enrolled, and its
recall among 35 other pictures is compared, over several draws. JSON lines: mean and standard deviation over
the classes of the rise as foretold and in fact, how often the interval of 80 % contains it (widened by the
noise of a rise that is counted over so few pictures), the mean error of the forecast and that of foretelling
no rise or the same rise for all classes, and the correlation.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common import emit
from benchmarks.error_budget import vectors
from cli.folders import Embedded
from cli.trial import enrolled
from core.collections import Rule
from index.decide import classify
from index.learning_curve import MORE, Worth
from index.replica import Replica
from worker.report import report_on

GROUPS, DRAWS, QUERIES = 4, 3, 35
SHOTS = (5, 10, 20)
OF_80 = 1.2816  # standard errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path)
    everything = vectors("sports80", parser.parse_args().cache)
    for shots in SHOTS:
        found = [
            pair
            for number in range(GROUPS)
            for draw in range(DRAWS)
            for pair in compared(everything.of(everything.classes[number::GROUPS]), shots, draw)
        ]
        show(shots, found)


@dataclass(frozen=True, slots=True)
class Compared:
    """A forecast for a class, the rise of its recall, and its standard error, that of one answer at least."""

    foretold: Worth
    rise: float
    noise: float


def compared(pictures: Embedded, shots: int, draw: int) -> list[Compared]:
    """Return what is foretold for each class, and by how much its recall rises."""
    order = np.random.default_rng(draw).permutation(len(pictures.labels))
    of_class: dict[str, list[int]] = {label: [] for label in pictures.classes}
    for row in order.tolist():
        of_class[pictures.labels[row]].append(row)
    rows = [row for some in of_class.values() for row in some[:shots]]
    queries = {label: pictures.take(some[-QUERIES:]) for label, some in of_class.items()}
    replica = enrolled(pictures.take(rows))
    report = report_on(replica, Rule(), None, {})
    if report.learning_curve is None:
        raise SystemExit("expected a learning curve")
    found = []
    for one in report.learning_curve.worth:
        added = of_class[one.label][shots : shots + MORE]
        before = right(replica, one.label, queries[one.label])
        after = right(enrolled(pictures.take(rows + added)), one.label, queries[one.label])
        change = after.astype(np.float64) - before
        foretold = Worth(one.points / 100, one.low / 100, one.high / 100)
        found.append(
            Compared(
                foretold, float(change.mean()), float(np.sqrt(max(np.abs(change).sum(), 1.0)) / len(change))
            )
        )
    return found


def right(replica: Replica, label: str, queries: Embedded) -> np.ndarray:
    answers = classify(replica, Rule(), queries.vectors, top=1)
    return np.array([answer.candidates[0].label == label for answer in answers])


def show(shots: int, found: list[Compared]) -> None:
    foretold = np.array([one.foretold.rise for one in found])
    fact = np.array([one.rise for one in found])
    inside = [
        one.foretold.low - OF_80 * one.noise <= one.rise <= one.foretold.high + OF_80 * one.noise
        for one in found
    ]
    top = np.argsort(-foretold)[: len(found) // 4]
    emit(
        "learning_curve",
        examples=shots,
        forecasts=len(found),
        foretold=round(float(foretold.mean()), 4),
        fact=round(float(fact.mean()), 4),
        foretold_of_highest_quarter=round(float(foretold[top].mean()), 4),
        fact_of_highest_quarter=round(float(fact[top].mean()), 4),
        deviation_of_fact=round(float(fact.std()), 4),
        noise=round(float(np.sqrt(np.mean([one.noise**2 for one in found]))), 4),
        within_interval=round(float(np.mean(inside)), 3),
        error=round(float(np.abs(fact - foretold).mean()), 4),
        error_of_none=round(float(np.abs(fact).mean()), 4),
        error_of_the_same=round(float(np.abs(fact - fact.mean()).mean()), 4),
        correlation=round(float(np.corrcoef(foretold, fact)[0, 1]), 3),
    )


if __name__ == "__main__":
    main()
