"""Fits: closed forms against fits from scratch, after any history and with anything left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from supporting import make_supports, named, replica_of, units
from test_index_replica import HISTORY, Record

from core.changes import Changes, SupportChange
from core.collections import Metric, Rule, RuleName
from index.calibration import best_inverse_temperature, folds, sample, softmax
from index.kernel import KernelFit, KernelMatrix, invert
from index.means import MeanFit
from index.nearest import NeighbourFit
from index.replica import Replica
from index.ridge import RidgeFit, Scatter
from index.supports import MOST_JUDGED, Supports

pytestmark = pytest.mark.slow

DIM, CLASSES = 8, 4
VECTORS = units(60, dim=DIM, seed=5)
QUERIES = units(5, dim=DIM, seed=6)
RULES = [RuleName.KERNEL, RuleName.RIDGE, RuleName.PROTOTYPE, RuleName.NEIGHBOURS, RuleName.NEAREST]


def supports_of(ids: list[int], owners: list[int]) -> Supports:
    return make_supports(np.array(ids, np.int64), np.array(owners, np.int64), VECTORS[ids])


OWNERS = st.integers(0, 2 * CLASSES)  # where a class has few of them, one that is removed is an update


@given(
    first=st.lists(OWNERS, min_size=40, max_size=60) | st.just([]),
    history=st.lists(st.dictionaries(st.integers(0, 59), OWNERS, max_size=4), min_size=1, max_size=6),
)
@settings(max_examples=60)
def test_kernel_after_any_history_is_the_kernel_from_scratch(first: list[int], history: Any) -> None:
    """Each step moves supports to a class from 1 on, or removes them (0).

    Updates need many supports of which few change, as do the first ones, which a history alone rarely has.
    """
    matrix, owner_of = KernelMatrix(), dict[int, int]()
    history = [dict(enumerate(first)), *history]
    for step in history:
        for id_, owner in step.items():
            owner_of.pop(id_, None) if owner == 0 else owner_of.__setitem__(id_, owner)
        supports = supports_of(list(owner_of), list(owner_of.values()))
        matrix.follow(supports)
        fresh = KernelMatrix()
        fresh.follow(supports)
        np.testing.assert_allclose(matrix.inverse, fresh.inverse, atol=1e-8)
        np.testing.assert_allclose(
            KernelFit(supports, matrix).scores(QUERIES), KernelFit(supports, fresh).scores(QUERIES), atol=1e-8
        )


def test_few_changes_are_updates_and_many_a_refit() -> None:
    matrix = KernelMatrix()
    owners = [n % CLASSES + 1 for n in range(50)]
    matrix.follow(supports_of(list(range(40)), owners[:40]))
    assert matrix.updated == 0
    matrix.follow(supports_of(list(range(1, 41)), owners[1:41]))
    assert matrix.updated > 0
    matrix.follow(supports_of(list(range(20)), owners[:20]))
    assert matrix.updated == 0


@pytest.mark.parametrize("rule", RULES)
@given(history=HISTORY)
@settings(max_examples=40)
def test_replica_after_any_history_scores_as_one_made_from_scratch(rule: RuleName, history: Any) -> None:
    record, replica = Record(), Replica(4)
    queries = units(3)
    for batch in history:
        for change in batch:
            record.change(*change)
        replica.apply(record.read())
        replica.fit(Rule(rule))  # so that the next change has a fit to update
    fresh = Replica(4)
    fresh.apply(record.read_all())
    np.testing.assert_allclose(
        replica.fit(Rule(rule)).fit.scores(queries), fresh.fit(Rule(rule)).fit.scores(queries), atol=1e-6
    )


def test_scatter_of_many_single_changes_is_the_scatter_from_scratch() -> None:
    replica = replica_of(VECTORS, [n % CLASSES + 1 for n in range(60)])
    replica.fit(Rule(RuleName.RIDGE))
    rng = np.random.default_rng(3)
    for version in range(2, 300):
        id_, owner = int(rng.integers(1, 61)), int(rng.integers(1, CLASSES + 1))
        gone = rng.random() < 0.3
        change = SupportChange(id_, None, None) if gone else SupportChange(id_, owner, VECTORS[id_ - 1])
        replica.apply(Changes(version, named({owner: f"c{owner}"}), [change]))
    fit = replica.fit(Rule(RuleName.RIDGE)).fit
    assert isinstance(fit, RidgeFit)
    np.testing.assert_allclose(fit.scatter, Scatter(replica.supports()).total, atol=1e-8)


def fit_of(rule: RuleName, supports: Supports, weights: Supports | None = None) -> Any:
    """Fit supports; `weights` are those whose counts weigh the classes, if these are a part of them."""
    if rule is RuleName.PROTOTYPE:
        return MeanFit(supports, Metric.COSINE)
    if rule in (RuleName.NEIGHBOURS, RuleName.NEAREST):

        def search(queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
            similarities = queries @ supports.vectors.T
            rows = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
            return np.take_along_axis(similarities, rows, axis=1), rows

        return NeighbourFit(supports, search, vote=rule is RuleName.NEIGHBOURS)
    if rule is RuleName.RIDGE:
        return RidgeFit(supports, Scatter(supports))
    matrix = KernelMatrix()
    matrix.follow(supports)
    return KernelFit(supports, matrix)


OWNERS = [n % CLASSES + 1 for n in range(32)]


@pytest.mark.parametrize("kind", ["one", "fold", "class", "some"])
@pytest.mark.parametrize("rule", [RuleName.PROTOTYPE, RuleName.NEIGHBOURS, RuleName.NEAREST])
def test_held_out_scores_are_those_of_a_fit_without_them(rule: RuleName, kind: str) -> None:
    supports = supports_of(list(range(32)), OWNERS)
    groups = groups_for(kind, supports)
    rows = np.flatnonzero(groups >= 0)
    held_out = fit_of(rule, supports).held_out(groups, rows)
    for place, row in enumerate(rows):
        rest = np.flatnonzero(groups != groups[row])
        without = make_supports(supports.ids[rest], np.array(OWNERS)[rest], supports.vectors[rest])
        there = np.isin(supports.class_ids, without.class_ids)
        scores = fit_of(rule, without).scores(supports.vectors[row : row + 1])[0]
        np.testing.assert_allclose(held_out[place][there], scores, atol=1e-6)


@pytest.mark.parametrize("kind", ["one", "fold", "class", "some"])
@pytest.mark.parametrize("rule", [RuleName.KERNEL, RuleName.RIDGE])
@pytest.mark.parametrize("with_prior", [False, True])
def test_held_out_closed_form_is_the_regression_without_them(
    rule: RuleName, kind: str, with_prior: bool
) -> None:
    """The other ridges stay unchanged, as in the closed form."""
    supports = supports_of(list(range(32)), OWNERS)
    groups = groups_for(kind, supports)
    rows = np.flatnonzero(groups >= 0)
    prior = (lambda v: softmax(3.0 * v[:, :CLASSES].astype(np.float64))) if with_prior else None
    targets = np.eye(CLASSES)[supports.columns] - (0 if prior is None else prior(supports.vectors))
    vectors = supports.vectors.astype(np.float64)
    if rule is RuleName.KERNEL:
        matrix = KernelMatrix()
        matrix.follow(supports)
        held_out = KernelFit(supports, matrix, prior).held_out(groups, rows)
        gram, ridge = np.exp(vectors @ vectors.T - 1) + 1, matrix.ridge
    else:
        held_out = RidgeFit(supports, Scatter(supports), prior).held_out(groups, rows)
        gram, ridge = vectors @ vectors.T + 1, np.full(32, 0.5 * 8 / 8)
    for place, row in enumerate(rows):
        rest = np.flatnonzero(groups != groups[row])
        weights = np.linalg.solve(gram[np.ix_(rest, rest)] + np.diag(ridge[rest]), targets[rest])
        expected = gram[row, rest] @ weights + (0 if prior is None else prior(supports.vectors[[row]])[0])
        np.testing.assert_allclose(held_out[place], expected, atol=1e-8)


def groups_for(kind: str, supports: Supports) -> np.ndarray:
    every = np.arange(len(supports.ids))
    return {
        "one": every,
        "fold": folds(supports.columns),
        "class": supports.columns,
        "some": np.where(every % 3 == 0, every % 2, -1),
    }[kind]


def test_folds_hold_as_many_of_each_class() -> None:
    columns = np.array([0, 1, 0, 1, 1, 2, 0, 2, 1])
    assert folds(columns).tolist() == [0, 0, 1, 1, 2, 0, 2, 1, 3]
    assert folds(np.zeros(12, np.int64)).max() == 4
    assert folds(np.empty(0, np.int64)).shape == (0,)


def test_inverse_temperature_maximises_the_likelihood() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(4000, 5)) * 0.2
    truth = np.array([rng.choice(5, p=row) for row in softmax(12.0 * scores)])
    assert best_inverse_temperature(scores, truth) == pytest.approx(12, rel=0.1)


def test_few_correct_supports_do_not_prove_certainty() -> None:
    scores = np.eye(3)[np.repeat(np.arange(3), 3)] * 0.3 + 0.2
    scale = best_inverse_temperature(scores, np.repeat(np.arange(3), 3))
    assert softmax(scale * scores).max() == pytest.approx(10 / 11, abs=0.01)


def test_inverse_of_a_positive_definite_matrix() -> None:
    matrix = VECTORS.astype(np.float64).T @ VECTORS + np.eye(DIM)
    np.testing.assert_allclose(invert(matrix.copy()) @ matrix, np.eye(DIM), atol=1e-10)
    wide = np.eye(700) * 3 + np.ones((700, 700))
    np.testing.assert_allclose(invert(wide.copy()) @ wide, np.eye(700), atol=1e-10)
    assert invert(np.empty((0, 0))).shape == (0, 0)


def test_one_support_per_class_takes_its_scale_from_the_spread_of_unfamiliar_scores() -> None:
    """The less unfamiliar pictures' scores differ, the greater the inverse temperature, within bounds."""
    for dim, at_most in ((4, 36.0), (16, 36.0), (512, 36.0)):
        replica = replica_of(units(30, dim=dim, seed=2), list(range(1, 31)))
        fitted = replica.fit(Rule(RuleName.PROTOTYPE))
        scores = fitted.fit.held_out(np.arange(30), np.arange(30))
        spread = np.mean([np.delete(row, place).std() for place, row in enumerate(scores)])
        assert fitted.calibration.inverse_temperature == pytest.approx(min(1.35 / spread, at_most))


def test_too_few_classes_for_a_spread_take_the_usual_scale() -> None:
    assert replica_of(units(3), [1, 2, 3]).fit(Rule()).calibration.inverse_temperature == 30.0


def test_sample_takes_all_of_small_classes_and_a_share_of_large_ones() -> None:
    owners = np.concatenate([np.full(5000, 1), np.repeat(np.arange(2, 302), 17)])
    ids = np.arange(1, len(owners) + 1)
    supports = make_supports(ids, owners, np.resize(VECTORS, (len(ids), DIM)))
    rows = sample(supports)
    assert 1000 < len(rows) <= MOST_JUDGED
    taken = np.bincount(owners[rows])
    assert taken[1] == MOST_JUDGED // 20
    assert set(taken[2:].tolist()) == {0, 17}
    few = make_supports(ids[:1000], owners[4500:5500], supports.vectors[:1000])
    assert len(sample(few)) == 1000


def test_update_that_was_cut_short_costs_a_refit_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    replica = replica_of(VECTORS[:59], [n % 20 + 1 for n in range(59)])
    replica.fit(Rule(RuleName.KERNEL))
    replica.apply(Changes(2, (), [SupportChange(60, 1, VECTORS[59])]))

    def cut_short(*_: Any) -> None:
        raise TimeoutError

    with monkeypatch.context() as patched:
        patched.setattr(KernelMatrix, "_append", cut_short)
        with pytest.raises(TimeoutError):
            replica.fit(Rule(RuleName.KERNEL))
    scores = replica.fit(Rule(RuleName.KERNEL)).fit.scores(QUERIES)
    fresh = KernelMatrix()
    fresh.follow(replica.supports())
    np.testing.assert_allclose(scores, KernelFit(replica.supports(), fresh).scores(QUERIES), atol=1e-8)


def test_class_made_negative_is_recalibrated_in_a_collection_of_any_size() -> None:
    vectors = units(2_100, dim=DIM, seed=7)
    replica = replica_of(vectors, [n % 3 + 1 for n in range(2_100)])
    before = replica.fit(Rule(RuleName.PROTOTYPE)).calibration
    replica.apply(Changes(2, named({3: "c3"}, negative=[3]), []))
    after = replica.fit(Rule(RuleName.PROTOTYPE)).calibration
    assert len(after.known) < len(before.known)
