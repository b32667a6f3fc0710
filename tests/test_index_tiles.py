"""Labels decided by the best of several tiles of a picture: the whole picture and its crops."""

from __future__ import annotations

import numpy as np
import pytest
from test_index_many import LABELS, given_to, replica_of, shown, toy

from core.answers import ManyAnswer, as_json
from core.collections import Rule
from core.tiles import CROPS, Part
from index.decide_many import classify_many
from index.many_tiles import weigh_tiles
from index.replica import Replica


@pytest.fixture(scope="module")
def replica() -> Replica:
    return replica_of(*toy(complete=False))


def crops_of(*labels: int | None) -> np.ndarray:
    """Return (1, c, d): crops that show one label each, or nothing that is known."""
    return np.stack([shown([] if one is None else [one], seed=40, also=6) for one in labels])[None]


def ask(replica: Replica, whole: np.ndarray, crops: np.ndarray | None) -> ManyAnswer:
    (answer,) = classify_many(replica, Rule(false_reject=0), whole[None], top=5, crops=crops)
    return answer


def test_crops_cover_the_picture_and_overlap() -> None:
    covered = np.zeros((50, 80), int)
    for crop in CROPS:
        left, upper, right, lower = crop.box(80, 50)
        assert (right - left, lower - upper) == (48, 30)
        covered[upper:lower, left:right] += 1
    assert covered.min() == 1 and covered[25, 40] == len(CROPS)


@pytest.mark.parametrize("crop", CROPS)
def test_crop_of_any_picture_lies_within_it(crop: Part) -> None:
    for side in range(1, 200):
        left, upper, right, lower = crop.box(side, 201 - side)
        assert 0 <= left < right <= side and 0 <= upper < lower <= 201 - side


def test_label_that_one_crop_shows_is_found_and_says_where(replica: Replica) -> None:
    whole = shown([], seed=41, also=6)
    assert given_to(ask(replica, whole, None)) == set()
    answer = ask(replica, whole, crops_of(None, 4, None, None, 1))
    assert given_to(answer) == {"cat", "dog"}
    parts = {one.label: one.part for one in answer.labels}
    assert (parts["cat"], parts["dog"]) == (CROPS[1], CROPS[4])
    cat = next(one for one in as_json(answer)["labels"] if one["label"] == "cat")
    assert cat["part"] == {"x": 0.4, "y": 0.0, "width": 0.6, "height": 0.6}


def test_reasons_are_those_of_the_part(replica: Replica) -> None:
    crops = crops_of(None, 4, None, None, None)
    answer = ask(replica, shown([], seed=41, also=6), crops)
    (cat,) = answer.labels
    rows = replica.fit_labels(Rule())[0].fit.rows
    at = {int(id_): row for row, id_ in enumerate(rows.ids)}
    for one in cat.explanation.supports:
        assert one.similarity == pytest.approx(
            float(rows.vectors[at[one.support_id]] @ crops[0, 1]), abs=1e-6
        )
    # neighbours and familiarity are those of the whole picture
    alone = ask(replica, shown([], seed=41, also=6), None)
    assert answer.neighbours == alone.neighbours
    assert answer.novelty is not None and alone.novelty is not None
    assert answer.novelty.score == pytest.approx(alone.novelty.score)


def test_label_that_the_whole_picture_shows_best_has_no_part(replica: Replica) -> None:
    answer = ask(replica, shown([1], seed=42), crops_of(None, None, None, None, None))
    assert [(one.label, one.part) for one in answer.labels] == [("dog", None)]


def test_trials_count_against_a_label(replica: Replica) -> None:
    fitted, _ = replica.fit_labels(Rule())
    wholes = np.stack([shown([n % 4 + 1], seed=50 + n, spread=2.0) for n in range(6)])
    alone = weigh_tiles(fitted, wholes, None)
    same = weigh_tiles(fitted, wholes, np.repeat(wholes[:, None], len(CROPS), axis=1))
    assert not same.tiles.any()
    sure, less = alone.probabilities, same.probabilities
    odds = 6 ** (0.75 * fitted.calibration.counts / (fitted.calibration.counts + 2))
    np.testing.assert_allclose(less, sure / (sure + (1 - sure) * odds), atol=1e-6)
    assert (less < sure).mean() > 0.5
    np.testing.assert_allclose(same.familiarity, alone.familiarity)


def test_parent_is_decided_by_the_part_of_its_child() -> None:
    labels = {1: "animal/dog", 2: "ball", 3: "animal", 4: "beach"}
    pictures = [([label], False) for label in (1, 2, 4, 1, 2, 4)]
    replica = replica_of(pictures, [shown(some, seed=n) for n, (some, _) in enumerate(pictures)], labels)
    answer = ask(replica, shown([], seed=41, also=6), crops_of(None, None, 1, None, None))
    found = {one.label: one for one in answer.labels}
    assert found["animal"].probability >= found["animal/dog"].probability
    assert found["animal"].part == found["animal/dog"].part == CROPS[2]


def test_many_pictures_are_weighed_as_each_alone(replica: Replica) -> None:
    rng = np.random.default_rng(3)
    tiles = np.stack(
        [[shown([int(rng.integers(1, 5))], seed=n * 9 + k) for k in range(6)] for n in range(90)]
    )
    fitted, _ = replica.fit_labels(Rule())
    every = weigh_tiles(fitted, tiles[:, 0], tiles[:, 1:])
    assert every.probabilities.shape == every.tiles.shape == (90, len(LABELS))
    for line in (0, 41, 42, 89):
        one = weigh_tiles(fitted, tiles[line : line + 1, 0], tiles[line : line + 1, 1:])
        np.testing.assert_allclose(one.probabilities[0], every.probabilities[line], atol=1e-9)
        assert one.tiles[0].tolist() == every.tiles[line].tolist()
