"""Smoothing over the pictures of a job, against the same written out densely."""

from __future__ import annotations

import numpy as np
import pytest
from supporting import units

import index.smoothing
from index.smoothing import neighbour_means, smooth


def random_probabilities(m: int, classes: int, seed: int = 3) -> np.ndarray:
    raised = np.exp(3 * np.random.default_rng(seed).normal(size=(m, classes)))
    return raised / raised.sum(axis=1, keepdims=True)


def means_written_out(vectors: np.ndarray, k: int) -> np.ndarray:
    cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(cosines, -np.inf)
    near = np.zeros(cosines.shape)
    for row, line in enumerate(cosines):
        near[row, np.argsort(-line)[:k]] = 1
    either = np.maximum(near, near.T)
    return either / either.sum(axis=1, keepdims=True)


def written_out(probabilities: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    means = means_written_out(vectors, min(5, len(vectors) - 1))
    now = probabilities
    for _ in range(10):
        raised = np.exp(np.log(probabilities) + 3 * means @ now)
        now = raised / raised.sum(axis=1, keepdims=True)
    return now


@pytest.mark.parametrize("m", [2, 3, 5, 6, 7, 60, 300])
def test_smoothing_is_as_written_out(m: int) -> None:
    probabilities, vectors = random_probabilities(m, 7), units(m, dim=16)
    np.testing.assert_allclose(smooth(probabilities, vectors), written_out(probabilities, vectors), atol=1e-5)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, vectors = random_probabilities(50, 4), units(50, dim=8)
    whole = smooth(probabilities, vectors)
    monkeypatch.setattr(index.smoothing, "BLOCK", 7)
    np.testing.assert_allclose(smooth(probabilities, vectors), whole, atol=1e-6)


def test_neighbours_are_found_from_both_sides_and_their_weights_sum_to_one() -> None:
    vectors = units(80, dim=6, seed=4)
    means = neighbour_means(vectors).toarray()
    np.testing.assert_allclose(means, means_written_out(vectors, 5), atol=1e-6)
    np.testing.assert_allclose(means.sum(axis=1), 1, atol=1e-6)
    assert not np.diag(means).any()


def test_copies_of_a_picture_are_neighbours_and_none_is_its_own() -> None:
    vectors = np.repeat(units(2, dim=6), 30, axis=0)
    means = neighbour_means(vectors).toarray()
    assert not np.diag(means).any()
    assert (np.count_nonzero(means, axis=1) >= 5).all()


def test_doubtful_picture_follows_the_pictures_that_look_like_it() -> None:
    vectors = np.concatenate([units(1, dim=6), units(1, dim=6, seed=9)]).repeat(6, axis=0)
    vectors = vectors + 0.01 * units(12, dim=6, seed=5)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    probabilities = np.array([[0.48, 0.52], *[[0.9, 0.1]] * 5, *[[0.1, 0.9]] * 6])
    smoothed = smooth(probabilities, vectors)
    assert smoothed.argmax(axis=1).tolist() == [0] * 6 + [1] * 6
    np.testing.assert_allclose(smoothed.sum(axis=1), 1, atol=1e-6)


def test_what_comes_in_stays_as_it_was() -> None:
    probabilities = random_probabilities(9, 3).astype(np.float32)
    before = probabilities.copy()
    smooth(probabilities, units(9))
    np.testing.assert_array_equal(probabilities, before)


def test_lone_picture_and_no_picture_stay_as_they_are() -> None:
    one = random_probabilities(1, 3)
    np.testing.assert_allclose(smooth(one, units(1)), one, atol=1e-6)
    assert smooth(np.empty((0, 3)), np.empty((0, 4), np.float32)).shape == (0, 3)


def test_impossible_class_stays_improbable() -> None:
    smoothed = smooth(np.tile([1.0, 0.0], (8, 1)), units(8))
    np.testing.assert_allclose(smoothed, np.tile([1.0, 0.0], (8, 1)), atol=1e-6)


def test_rows_without_a_vector_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a vector for each row, got 3 and 2"):
        smooth(random_probabilities(3, 2), units(2))
