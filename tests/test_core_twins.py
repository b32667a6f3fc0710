"""Near twins among vectors, and answers that they contradict."""

from __future__ import annotations

import numpy as np
import pytest

from core.twins import contradicted, most_alike, sketches
from core.vectors import Vectors


def unit(vectors: Vectors) -> Vectors:
    found: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return found


def pairs(number: int, dim: int, noise: float) -> Vectors:
    random = np.random.default_rng(3)
    one = unit(random.standard_normal((number, dim)))
    return unit(np.concatenate([one, one + noise * unit(random.standard_normal((number, dim)))]))


@pytest.mark.parametrize(("number", "least"), [(1, 1.0), (12, 1.0), (4_000, 0.99)])
def test_twins_are_found(number: int, least: float) -> None:
    best, cosines = most_alike(sketches(pairs(number, 300, 0.2)))
    other = np.roll(np.arange(2 * number), number)
    assert (best == other).mean() >= least
    assert cosines.mean() > 0.95


def test_sketches_keep_cosines() -> None:
    vectors = pairs(500, 1280, 0.3)
    before = (vectors[:500] * vectors[500:]).sum(axis=1)
    after = sketches(vectors)
    assert after.shape == (1000, 128)
    assert np.abs((after[:500] * after[500:]).sum(axis=1) - before).mean() < 0.02


@pytest.mark.parametrize("number", [0, 1])
def test_single_picture_has_no_twin(number: int) -> None:
    vectors = unit(np.ones((number, 8)))
    best, _ = most_alike(vectors)
    assert best.tolist() == [-1] * number
    assert contradicted(vectors, ["bmx"] * number).tolist() == [False] * number


def test_copies_are_twins_however_many() -> None:
    best, cosines = most_alike(unit(np.ones((3_000, 8))))
    assert (best >= 0).all()
    assert cosines.min() > 0.999


def test_twins_with_different_answers_contradict_each_other() -> None:
    vectors = pairs(20, 100, 0.1)
    answers: list[str | None] = [f"{n % 20}" for n in range(40)]
    answers[3], answers[25] = "other", None
    vectors[3], vectors[5] = vectors[23], vectors[25]  # the most alike of all
    assert np.flatnonzero(contradicted(vectors, answers)).tolist() == [3, 5, 23, 25]
