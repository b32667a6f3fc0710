"""Several labels a picture, smoothed over near pictures: does that help?, as JSON lines.

python -m benchmarks.labels_smoothing [--encoder SPEC] [--cache DIR]

On mosaics of ../shared/data/sports80-128px.zip, 600 queries of either of two lots of 20 sports, each label's
log-odds z are smoothed alone, ten times, over the neighbours by which answers of one label are smoothed (W):

`mean A`   z <- (1 - A) z0 + A W z
`pull B`   z <- z0 + B (W p - the mean of p)
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import DEFAULT, emit
from benchmarks.labels import KINDS, SHOTS, averaged, best_threshold, draws_of
from benchmarks.labels_vectors import TUNED, Bank
from cli.label_trial import enrolled_labels
from core.collections import Rule
from encoders.threads import use_threads
from index.label_metrics import Judged, numbers
from index.many_calibration import sigmoid
from index.smoothing import STEPS, neighbour_means
from index.supports import Floats

MEANS = (0.25, 0.5, 0.75)
PULLS = (2.0, 4.0, 6.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--cache", type=Path, help="keeps pictures and vectors; default a temporary folder")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    use_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        cache = given.cache or Path(folder)
        cache.mkdir(parents=True, exist_ok=True)
        measure(Bank(given.encoder, cache))


def measure(bank: Bank) -> None:
    """Emit the means over both lots, all kinds of supports and five draws."""
    found: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for source in TUNED:
        queries = bank.labelled(source, "queries", complete=True)
        means = neighbour_means(queries.vectors)
        for kind in KINDS:
            supports = bank.labelled(source, KINDS[kind], complete=False)
            for shots in SHOTS:
                for some, names, truth in draws_of(shots, supports, queries):
                    fitted, thresholds = enrolled_labels(some, names).fit_labels(Rule())
                    probabilities, _ = fitted.probabilities(queries.vectors)
                    for way, smoothed in ways(probabilities, means):
                        figures = numbers(Judged(truth, smoothed, smoothed >= thresholds.yes), names)
                        best = {"micro_f1_best": best_threshold(truth, smoothed)[0]}
                        found.setdefault((shots, way), []).append(figures | best)
    for (shots, way), figures in found.items():
        emit("labels_smoothing", encoder=bank.spec, shots=shots, way=way, **averaged(figures))


def ways(probabilities: Floats, means: Any) -> Iterator[tuple[str, Floats]]:
    clipped = np.clip(probabilities, 1e-9, 1 - 1e-9)
    first = np.log(clipped / (1 - clipped))
    yield "none", probabilities
    for share in MEANS:
        logits = first
        for _ in range(STEPS):
            logits = (1 - share) * first + share * (means @ logits)
        yield f"mean {share:g}", sigmoid(logits)
    for pull in PULLS:
        smoothed = probabilities
        for _ in range(STEPS):
            smoothed = sigmoid(first + pull * (means @ smoothed - probabilities.mean(axis=0)))
        yield f"pull {pull:g}", smoothed


if __name__ == "__main__":
    main()
