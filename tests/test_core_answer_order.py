"""What to review first, and how names are sorted."""

from __future__ import annotations

from typing import Any

import pytest

from core.answer_order import Order, contradicted_key, review_value, sort_key


def answer(
    decision: str, *probabilities: float, score: float = 2.0, threshold: float | None = 1.0
) -> dict[str, Any]:
    return {
        "decision": decision,
        "confidence": probabilities[0],
        "candidates": [{"label": str(n), "probability": one} for n, one in enumerate(probabilities)],
        "novelty": {"score": score, "threshold": threshold},
    }


@pytest.mark.parametrize(
    ("found", "value"),
    [
        (answer("known", 1.0, 0.0), 0.0),
        (answer("known", 0.6, 0.4), 0.4),
        (answer("known", 0.9, 0.05, 0.05), 0.075),
        (answer("known", 0.98), 0.01),
        (answer("known", 1.0, 0.0, score=1.25), 0.375),
        (answer("known", 1.0, 0.0, score=9.0), 0.0),
        (answer("known", 1.0, 0.0, score=1.25, threshold=None), 0.0),
        (answer("known", 1.0, 0.0, score=1.25, threshold=-1.0), 0.0),
        ({**answer("known", 0.6, 0.4), "novelty": None}, 0.4),
        (answer("ambiguous", 0.4, 0.3, score=1.5), 0.95),
        (answer("unknown", 1.0, 0.0), 1.0),
        ({"decision": "unknown", "confidence": 0.0, "candidates": [], "novelty": None}, 1.0),
    ],
)
def test_value_is_the_greater_doubt_and_nameless_pictures_come_first(
    found: dict[str, Any], value: float
) -> None:
    assert review_value(found) == pytest.approx(value)


def test_names_are_sorted_as_people_do() -> None:
    names = ["IMG_2.jpg", "img_10.jpg", "b/1.jpg", "img_2b.jpg", "7.jpg", None, "", "1" * 5000, "ä²"]
    results = [{"custom_id": name} for name in names]
    results.sort(key=lambda result: sort_key(Order.NAME, result))
    assert [result["custom_id"] for result in results] == [
        "7.jpg", "1" * 5000, "b/1.jpg", "IMG_2.jpg", "img_2b.jpg", "img_10.jpg", "ä²", None, "",
    ]  # fmt: skip


@pytest.mark.parametrize("order", [Order.VALUE, Order.CONFIDENCE])
def test_what_has_no_answer_comes_last(order: Order) -> None:
    failed = {"custom_id": None, "status": "failed"}
    assert sort_key(order, answer("known", 1.0, 0.0)) < sort_key(order, failed)


def test_least_confident_comes_first() -> None:
    assert sort_key(Order.CONFIDENCE, answer("known", 0.6)) < sort_key(Order.CONFIDENCE, answer("known", 0.7))


def test_contradicted_answer_comes_before_other_known_ones_and_after_nameless_ones() -> None:
    found = [contradicted_key("known"), contradicted_key("unknown")]
    found += [sort_key(Order.VALUE, answer(*one)) for one in [("known", 0.51, 0.49), ("ambiguous", 0.9, 0.1)]]
    assert sorted(range(4), key=found.__getitem__) == [1, 3, 0, 2]
