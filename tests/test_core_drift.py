"""Counts of live answers, and what they say of drift."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.drift import Reviewed, corrected_accuracy, distance, estimated_accuracy
from core.live_answers import Confidences, LiveCounts, counts_of, mean_confidence

KNOWN = {
    "item": 0, "status": "done", "decision": "known", "label": "wren", "confidence": 0.9,
    "novelty": {"score": 1.2, "threshold": 0.5},
}  # fmt: skip
UNKNOWN = {
    "item": 1, "status": "done", "decision": "unknown", "label": None, "confidence": None,
    "novelty": {"score": 0.2, "threshold": 0.5},
}  # fmt: skip
FAILED = {"item": 2, "status": "failed", "error": {"code": "picture_unreadable"}}
SEVERAL = {
    "item": 3, "status": "done", "decision": "known",
    "labels": [
        {"label": "beach", "probability": 0.8, "decision": "yes"},
        {"label": "dog", "probability": 0.6, "decision": "yes"},
        {"label": "ball", "probability": 0.3, "decision": "unsure"},
    ],
}  # fmt: skip


def confidences(*values: float) -> Confidences:
    made = Confidences()
    for value in values:
        made.add(value)
    return made


def test_answers_are_counted_and_failures_are_not() -> None:
    counts = counts_of([KNOWN, UNKNOWN, FAILED, SEVERAL])
    assert counts.answers == 3
    assert counts.decisions == {"known": 2, "unknown": 1}
    assert counts.labels == {"wren": 1, "beach": 1, "dog": 1}
    assert (counts.judged, counts.novel) == (2, 1)
    assert estimated_accuracy(counts.confidences) == pytest.approx((0.9 + 0.8 + 0.6) / 3)


def test_sum_of_packed_counts_is_the_count_of_all() -> None:
    whole = counts_of([KNOWN, UNKNOWN, SEVERAL])
    total = LiveCounts()
    for part in ([KNOWN], [UNKNOWN, SEVERAL]):
        total.add(LiveCounts.unpack(counts_of(part).pack()))
    packed, expected = total.pack(), whole.pack()
    assert packed.pop("confidences") == pytest.approx(expected.pop("confidences"))
    assert packed == expected


def test_mean_confidence_is_of_the_labels_given() -> None:
    assert mean_confidence(KNOWN) == 0.9
    assert mean_confidence(UNKNOWN) is None
    assert mean_confidence(SEVERAL) == pytest.approx(0.7)


def test_distance_of_label_mixes() -> None:
    assert distance({"a": 1, "b": 1}, {"a": 50, "b": 50}) == 0
    assert distance({"a": 1}, {"b": 1}) == 1
    # half the mass is moved to a label that the other lacks: 0.5 * (log2(4/3) + 0.5 * log2(2/3) + 0.5)
    by_hand = 0.5 * math.log2(4 / 3) + 0.5 * (0.5 * math.log2(2 / 3) + 0.5 * 1)
    assert distance({"a": 2}, {"a": 1, "b": 1}) == pytest.approx(math.sqrt(by_hand))
    assert distance({}, {"a": 1}) is None


def test_nothing_given_has_no_accuracy() -> None:
    assert estimated_accuracy(Confidences()) is None
    assert corrected_accuracy(Confidences(), [Reviewed(0.9, 1.0)] * 50) is None


def test_few_reviews_correct_nothing() -> None:
    assert corrected_accuracy(confidences(0.9, 0.8), [Reviewed(0.9, 1.0)] * 19) is None


def test_reviews_correct_probabilities_that_are_too_high() -> None:
    estimate = corrected_accuracy(
        confidences(*[0.9] * 1000), [Reviewed(0.9, 1.0)] * 35 + [Reviewed(0.9, 0.0)] * 15
    )
    assert estimate is not None
    assert estimate.value == pytest.approx(0.7)
    # the standard error of a share of 0.7 among 50
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * math.sqrt(0.21 / 49))


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held, rounds = 0, 400
    for _ in range(rounds):
        sure = rng.uniform(0.5, 1.0, 2000)
        right = rng.random(2000) < sure - 0.15  # the calibration no longer holds
        drawn = rng.choice(2000, 100, replace=False)
        reviewed = [Reviewed(float(sure[n]), float(right[n])) for n in drawn]
        estimate = corrected_accuracy(confidences(*sure.tolist()), reviewed)
        assert estimate is not None
        held += estimate.low <= 0.60 <= estimate.high
    assert 0.92 <= held / rounds <= 0.98
