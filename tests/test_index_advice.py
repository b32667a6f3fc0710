"""Error budgets, influence and learning curves, on arrays whose right answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom
from supporting import make_supports, replica_of

from core.collections import ErrorOf, Metric, Rule, RuleName
from core.shares import SURE, upper_bound, wilson
from index.advice import advice
from index.effect import Added, effect_of
from index.error_budget import LeftOut, budget_of, fewest_answers
from index.influence import influence
from index.kernel import KernelFit, KernelMatrix
from index.learning_curve import Curve, Point, learning_curve, subset, worth
from index.ridge import RidgeFit, Scatter
from index.supports import Supports
from worker.report import report_on

DIM = 12


def clusters(owners: np.ndarray, spread: float = 0.5, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(len(owners), DIM)) * spread
    rows = noise + np.eye(DIM)[owners]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def supports_of(owners: np.ndarray, **more: float) -> Supports:
    return make_supports(np.arange(len(owners)) + 1, owners, clusters(owners, **more))


def answers(confidence: np.ndarray, right: np.ndarray) -> LeftOut:
    return LeftOut(confidence, np.ones(len(right)), right)


@given(st.integers(0, 40), st.integers(1, 400))
def test_bound_is_the_one_of_clopper_and_pearson(wrong: int, of: int) -> None:
    expected = 1.0 if wrong >= of else beta.ppf(SURE, wrong + 1, of - wrong)
    assert upper_bound(wrong, of) == pytest.approx(expected, abs=1e-9)


def test_interval_is_the_one_of_wilson() -> None:
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.02, 0.05, 0.2]))
def test_threshold_is_the_last_that_passes_before_one_fails(seed: int, most: float) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 600))
    confidence = rng.uniform(0.5, 1.0, n).round(2)  # with ties
    right = rng.uniform(size=n) < confidence**0.3
    budget = budget_of(answers(confidence, right), Rule(max_error=most), most, None)
    expected = None
    for level in sorted(set(confidence), reverse=True):
        above = confidence >= level
        if above.sum() < fewest_answers(ErrorOf.AUTOMATIC, most):
            continue
        if binom.cdf((above & ~right).sum(), above.sum(), most) > 1 - SURE:
            break
        expected = level
    assert budget.threshold == expected
    if expected is not None:
        assert budget.automatic == (confidence >= expected).sum()
        assert budget.wrong == ((confidence >= expected) & ~right).sum()


def test_promise_holds_as_often_as_it_says() -> None:
    rng, most, broken = np.random.default_rng(0), 0.05, 0
    for _ in range(300):
        confidence = rng.uniform(0.5, 1.0, 400)
        right = rng.uniform(size=400) < confidence
        found = budget_of(answers(confidence, right), Rule(max_error=most), most, None)
        if found.threshold is not None:  # of answers above it, the true share is 1 - their mean confidence
            broken += (1.0 - found.threshold) / 2 > most
    assert broken / 300 <= 1 - SURE


def test_average_over_all_pictures_is_within_the_budget() -> None:
    rng, most, wrong = np.random.default_rng(0), 0.02, []
    for _ in range(300):
        confidence = rng.uniform(0.0, 1.0, 120)
        right = rng.uniform(size=120) < confidence
        rule = Rule(max_error=most, error_of=ErrorOf.ALL, certainty=0.0)
        found = budget_of(answers(confidence, right), rule, most, None)
        wrong.append(0.0 if found.threshold is None else (1.0 - found.threshold) ** 2 / 2)
    assert np.mean(wrong) <= most


@pytest.mark.parametrize(
    ("error_of", "most", "fewest"),
    [
        (ErrorOf.AUTOMATIC, 0.01, 230),
        (ErrorOf.AUTOMATIC, 0.05, 45),
        (ErrorOf.ALL, 0.01, 99),
        (ErrorOf.ALL, 0.05, 19),
    ],
)
def test_so_many_right_answers_prove_it_and_one_less_does_not(
    error_of: ErrorOf, most: float, fewest: int
) -> None:
    rule = Rule(max_error=most, error_of=error_of)
    assert fewest_answers(error_of, most) == fewest
    for n, proves in ((fewest, True), (fewest - 1, False)):
        found = budget_of(answers(np.linspace(0.6, 1, n), np.ones(n, bool)), rule, most, None)
        assert (found.threshold is not None) is proves


def test_only_supports_of_their_classes_prove_nothing() -> None:
    replica = replica_of(clusters(np.arange(DIM)), list(range(1, DIM + 1)))
    rule = Rule(max_error=0.2, error_of=ErrorOf.ALL)
    left_out = replica.fit(rule).calibration.left_out
    assert len(left_out.right) == DIM and not left_out.right.any()


@pytest.mark.parametrize("rule", [RuleName.KERNEL, RuleName.RIDGE])
def test_answers_without_a_pair_are_those_of_a_fit_without_it(rule: RuleName) -> None:
    supports = supports_of(np.repeat(np.arange(4), 5))
    n, rows = len(supports.ids), np.arange(len(supports.ids))
    matrix = KernelMatrix()
    matrix.follow(supports)
    fit = KernelFit(supports, matrix) if rule is RuleName.KERNEL else RidgeFit(supports, Scatter(supports))
    for other in (0, 7):
        found = fit.pairs_left_out(rows)(other)
        for row in (1, 7, 12):
            groups = np.full(n, -1)
            groups[[row, other]] = 0  # left out together
            expected = fit.held_out(groups, np.array([row]))[0]
            assert found[row] == pytest.approx(expected, abs=1e-9)


def test_mislabelled_support_hurts_and_is_first() -> None:
    owners = np.repeat(np.arange(4), 6)
    vectors = clusters(owners, spread=0.35, seed=3)
    vectors[2] = clusters(np.array([1]), spread=0.05)[0]
    replica = replica_of(vectors, (owners + 1).tolist())
    fitted = replica.fit(Rule(RuleName.KERNEL))
    found = influence(fitted, np.arange(len(owners)), np.empty(0, np.int64))
    assert int(found.rows[found.gain.argmax()]) == 2


def test_rules_without_a_closed_form_name_no_harmful_examples() -> None:
    owners = np.repeat(np.arange(3), 4)
    replica = replica_of(clusters(owners), (owners + 1).tolist())
    fitted = replica.fit(Rule(RuleName.PROTOTYPE))
    assert len(influence(fitted, np.arange(12), np.empty(0, np.int64)).rows) == 0


def test_accuracy_rises_along_the_curve() -> None:
    supports = supports_of(np.repeat(np.arange(8), 24), spread=0.45)
    curve = learning_curve(supports, RuleName.KERNEL, Metric.COSINE)
    assert curve is not None
    assert [point.examples for point in curve.points] == [1, 2, 5, 10, 20, 23]
    accuracies = [point.accuracy for point in curve.points]
    assert accuracies[0] < accuracies[2] < accuracies[-1] + 0.02
    assert curve.exponent > 0
    assert all(point.classes == 8 for point in curve.points)


@pytest.mark.parametrize("rule", [name for name in RuleName if name is not RuleName.AUTO])
def test_every_rule_has_a_curve(rule: RuleName) -> None:
    assert learning_curve(supports_of(np.repeat(np.arange(4), 6)), rule, Metric.COSINE) is not None


def test_two_examples_make_no_curve() -> None:
    assert learning_curve(supports_of(np.repeat(np.arange(4), 2)), RuleName.KERNEL, Metric.COSINE) is None


def test_more_examples_are_worth_more_to_a_class_that_is_often_wrong() -> None:
    curve = Curve((Point(1, 0.5, 0.02, 5), Point(5, 0.8, 0.02, 5)), 0.57, 0.05)
    good, bad = worth(curve, 0, 5, 0.8), worth(curve, 4, 5, 0.8)
    assert 0 < good.rise < bad.rise < 1
    for one in (good, bad):
        assert one.low < one.rise < one.high


def test_subset_keeps_the_columns() -> None:
    supports = supports_of(np.repeat(np.arange(3), 4))
    some = subset(supports, np.array([0, 1, 9]))
    assert some.counts.tolist() == [2, 0, 1]
    assert some.sums == pytest.approx(supports_sums(some))


def supports_sums(supports: Supports) -> np.ndarray:
    sums = np.zeros_like(supports.sums)
    for column, vector in zip(supports.columns, supports.vectors, strict=True):
        sums[column] += vector
    return sums


def test_report_has_budgets_interval_and_curve() -> None:
    owners = np.repeat(np.arange(6), 10)
    replica = replica_of(clusters(owners, spread=0.3), (owners + 1).tolist())
    rule = Rule(max_error=0.2)
    found = report_on(replica, rule, None, {})
    assert found.accuracy_interval is not None and found.accuracy is not None
    assert found.accuracy_interval[0] < found.accuracy <= found.accuracy_interval[1]
    assert [one.max_error for one in found.foretold] == [0.01, 0.02, 0.05, 0.1]
    assert found.foretold[0].to_people == 1.0  # 60 answers prove nothing about 1 %
    budget = found.error_budget
    assert budget is not None and budget.answers == 60 and budget.fewest == 11
    assert found.learning_curve is not None and len(found.learning_curve.worth) == 6
    assert report_on(replica, Rule(), None, {}).error_budget is None


def test_too_few_supports_are_said_plainly() -> None:
    owners = np.repeat(np.arange(3), 3)
    replica = replica_of(clusters(owners), (owners + 1).tolist())
    budget = report_on(replica, Rule(max_error=0.01), None, {}).error_budget
    assert budget is not None
    assert (budget.threshold, budget.automatic, budget.to_people) == (None, 0, 1.0)
    assert "230 right ones are needed" in budget.note


def test_empty_collection_has_no_advice() -> None:
    replica = replica_of(np.empty((0, DIM), np.float32), [])
    found = report_on(replica, Rule(max_error=0.05), None, {})
    assert found.learning_curve is None and found.harmful.total == 0
    assert advice  # the report's fields come from it


def test_effect_of_good_and_of_wrong_examples() -> None:
    owners = np.repeat(np.arange(6), 4)
    replica = replica_of(clusters(owners, spread=0.35), (owners + 1).tolist())
    labels = {id_: one.label for id_, one in replica.classes.items()}
    more = np.repeat(np.arange(6), 10)
    vectors = clusters(more, spread=0.35, seed=9)
    items = range(100, 160)
    good, bad = (
        effect_of(replica, Rule(), Added(items, [labels[column + 1] for column in said], vectors))
        for said in (more, (more + 1) % 6)
    )
    assert good.judged == bad.judged == 24 and good.added == 60
    assert good.before == bad.before
    assert good.change > 0 > bad.change
    assert good.standard_error is not None and good.standard_error > 0
    assert good.became_right - good.became_wrong == round(24 * good.change)
    assert len(replica) == 24 and replica.version == 1  # nothing was added
    mixed = [labels[column + 1] for column in more]
    mixed[7] = labels[4]
    worst = effect_of(replica, Rule(), Added(items, mixed, vectors)).suspects.items[0]
    assert (worst.id, worst.label, worst.looks_like) == (107, labels[4], labels[1])
