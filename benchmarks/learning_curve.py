"""How good the report's forecast is of what five more pictures of a class are worth.

    python -m benchmarks.learning_curve [--cache DIR]

Four groups of 20 sports of `shared/data/sports80-128px.zip`. At 5, 10 and 20 examples of each class, the report
says what 5 more of one class are worth; then 5 held-back pictures of that class alone are enrolled, and its
recall among 20 other pictures is compared, over several draws. JSON lines: mean and standard deviation over
the classes of the rise as foretold and in fact, how often the interval of 80 % contains it, the mean error of
the forecast and that of foretelling no rise or the same rise for all classes, and the correlation. The noise
of the recall of a class, which is counted over so few pictures, is in all of these.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.common import emit
from benchmarks.error_budget import vectors
from cli.folders import Embedded
from cli.trial import enrolled
from core.types import Rule
from index.decide import classify
from index.learning_curve import MORE, Worth
from worker.report import report_on

GROUPS, DRAWS, QUERIES = 4, 3, 20
SHOTS = (5, 10, 20)


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


def compared(pictures: Embedded, shots: int, draw: int) -> list[tuple[Worth, float]]:
    """Return what is foretold for each class, and by how much its recall rises."""
    order = np.random.default_rng(draw).permutation(len(pictures.labels))
    of_class: dict[str, list[int]] = {label: [] for label in pictures.classes}
    for row in order.tolist():
        of_class[pictures.labels[row]].append(row)
    rows = [row for some in of_class.values() for row in some[:shots]]
    queries = {label: pictures.take(some[-QUERIES:]) for label, some in of_class.items()}
    report = report_on(enrolled(pictures.take(rows)), Rule(), None, {})
    if report.learning_curve is None:
        raise SystemExit("expected a learning curve")
    before = recalls(pictures.take(rows), queries)
    found = []
    for one in report.learning_curve.worth:
        added = of_class[one.label][shots : shots + MORE]
        after = recalls(pictures.take(rows + added), {one.label: queries[one.label]})
        foretold = Worth(one.points / 100, one.low / 100, one.high / 100)
        found.append((foretold, after[one.label] - before[one.label]))
    return found


def recalls(supports: Embedded, queries: dict[str, Embedded]) -> dict[str, float]:
    replica = enrolled(supports)
    return {
        label: float(
            np.mean([a.candidates[0].label == label for a in classify(replica, Rule(), some.vectors, top=1)])
        )
        for label, some in queries.items()
    }


def show(shots: int, found: list[tuple[Worth, float]]) -> None:
    foretold = np.array([one.rise for one, _ in found])
    fact = np.array([rise for _, rise in found])
    inside = [one.low <= rise <= one.high for one, rise in found]
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
        within_interval=round(float(np.mean(inside)), 3),
        error=round(float(np.abs(fact - foretold).mean()), 4),
        error_of_none=round(float(np.abs(fact).mean()), 4),
        error_of_the_same=round(float(np.abs(fact - fact.mean()).mean()), 4),
        correlation=round(float(np.corrcoef(foretold, fact)[0, 1]), 3),
    )


if __name__ == "__main__":
    main()
