"""Rules and decisions, against the same written out in numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from supporting import DIM, replica_of, unit, units

from core.changes import Changes, ClassChange
from core.collections import ClassKind, DecisionName, Metric, Rule, RuleName
from index.decide import classify, search
from index.fits import KERNEL_LIMIT, KERNEL_MOST, rule_used
from index.replica import Replica
from index.texts import LabelVectors

RULES = [Rule(name) for name in RuleName] + [Rule(RuleName.PROTOTYPE, Metric.MSE)]
LABELS = np.array([1, 1, 1, 2, 2, 3, 3, 3, 3, 4])
SUPPORTS = units(len(LABELS), dim=16, seed=1)
QUERIES = units(7, dim=16, seed=2)
COUNTS = np.array([3, 2, 4, 1])
ONE_HOT = np.eye(4)[LABELS - 1]


def nearest(queries: np.ndarray, supports: np.ndarray) -> np.ndarray:
    return np.stack([(queries @ supports[c == LABELS].T).max(axis=1) for c in (1, 2, 3, 4)], axis=1)


def vote(queries: np.ndarray, supports: np.ndarray) -> np.ndarray:
    exps = np.exp(queries @ supports.T / 0.07)
    return 0.07 * np.log(np.stack([exps[:, c == LABELS].sum(axis=1) for c in (1, 2, 3, 4)], axis=1))


def cosine_of_means(queries: np.ndarray, supports: np.ndarray) -> np.ndarray:
    means = np.stack([supports[c == LABELS].mean(axis=0) for c in (1, 2, 3, 4)])
    return queries @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T


def error_of_means(queries: np.ndarray, supports: np.ndarray) -> np.ndarray:
    means = np.stack([supports[c == LABELS].mean(axis=0) for c in (1, 2, 3, 4)])
    return 1 - ((queries[:, None] - means[None]) ** 2).sum(axis=2) / 2


def kernel_ridge(queries: np.ndarray, supports: np.ndarray) -> np.ndarray:
    harmonic = 4 / (1 / COUNTS).sum()
    ridge = 0.3 * COUNTS[LABELS - 1] / 2 ** (round(4 * np.log2(harmonic)) / 4)
    kernel = np.exp(supports @ supports.T - 1) + 1
    weights = np.linalg.solve(kernel + np.diag(ridge), ONE_HOT)
    return (np.exp(queries @ supports.T - 1) + 1) @ weights


def linear_ridge(queries: np.ndarray, supports: np.ndarray) -> np.ndarray:
    harmonic = 4 / (1 / COUNTS).sum()
    inputs = np.concatenate([supports, np.ones((len(supports), 1))], axis=1)
    weights = harmonic / COUNTS[LABELS - 1]
    left = (inputs * weights[:, None]).T @ inputs + 0.5 * np.eye(inputs.shape[1])
    right = (inputs * weights[:, None]).T @ ONE_HOT
    return np.concatenate([queries, np.ones((len(queries), 1))], axis=1) @ np.linalg.solve(left, right)


WRITTEN_OUT = {
    Rule(RuleName.NEAREST): nearest,
    Rule(RuleName.NEIGHBOURS): vote,
    Rule(RuleName.PROTOTYPE): cosine_of_means,
    Rule(RuleName.PROTOTYPE, Metric.MSE): error_of_means,
    Rule(RuleName.KERNEL): kernel_ridge,
    Rule(RuleName.AUTO): kernel_ridge,
    Rule(RuleName.RIDGE): linear_ridge,
}


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rule_scores_as_written_out(rule: Rule) -> None:
    fit = replica_of(SUPPORTS, list(LABELS)).fit(rule).fit
    expected = WRITTEN_OUT[rule](QUERIES.astype(np.float64), SUPPORTS.astype(np.float64))
    np.testing.assert_allclose(fit.scores(QUERIES), expected, atol=1e-6)


def test_class_beyond_the_neighbours_is_further_than_the_last_of_them() -> None:
    supports = np.concatenate([np.tile(unit(1, 0.1, 0, 0), (64, 1)), unit(0, 0, 0, 1)[None]])
    replica = replica_of(supports, [1] * 64 + [2])
    for rule in (RuleName.NEAREST, RuleName.NEIGHBOURS):
        scores = replica.fit(Rule(rule)).fit.scores(supports[:1])
        assert scores[0, 1] == pytest.approx(1 - 0.07, abs=1e-5)
        assert scores[0, 0] >= 1 - 1e-5


def test_auto_is_kernel_while_it_answers_in_time_and_ridge_beyond() -> None:
    assert rule_used(RuleName.AUTO, KERNEL_MOST) is RuleName.KERNEL
    assert rule_used(RuleName.AUTO, KERNEL_MOST + 1) is RuleName.RIDGE
    assert rule_used(RuleName.KERNEL, KERNEL_LIMIT) is RuleName.KERNEL
    assert rule_used(RuleName.KERNEL, KERNEL_LIMIT + 1) is RuleName.RIDGE
    assert rule_used(RuleName.NEAREST, 10**6) is RuleName.NEAREST


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_probabilities_are_the_softmax_of_the_scores_and_stand_in_order(rule: Rule) -> None:
    replica = replica_of(SUPPORTS, list(LABELS))
    fitted = replica.fit(rule)
    for scores, answer in zip(
        fitted.fit.scores(QUERIES), classify(replica, rule, QUERIES, top=9), strict=True
    ):
        raw = np.exp(fitted.calibration.inverse_temperature * (scores - scores.max()))
        probabilities = [candidate.probability for candidate in answer.candidates]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) == pytest.approx(1)
        for candidate in answer.candidates:
            assert candidate.probability == pytest.approx(raw[int(candidate.label[1:]) - 1] / raw.sum())
        assert answer.rule is rule_used(rule.name, len(LABELS))


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_support_itself_is_known_as_its_class(rule: Rule) -> None:
    supports = np.eye(DIM, dtype=np.float32)
    answers = classify(replica_of(supports, [1, 2, 3, 4], version=137), rule, supports, top=2)
    assert [answer.label for answer in answers] == ["c1", "c2", "c3", "c4"]
    assert {answer.decision for answer in answers} == {DecisionName.KNOWN}
    assert {answer.index_version for answer in answers} == {137}
    assert [len(answer.candidates) for answer in answers] == [2] * 4
    assert all(answer.confidence == answer.candidates[0].probability > 0.5 for answer in answers)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_nothing_enrolled_means_unknown(rule: Rule) -> None:
    [answer] = classify(Replica(DIM), rule, units(1), top=5)
    assert (answer.decision, answer.label, answer.confidence) == (DecisionName.UNKNOWN, None, 0.0)
    assert answer.candidates == answer.neighbours == answer.explanation.supports == ()
    assert answer.novelty is answer.candidate_set is answer.explanation.margin is None


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_one_picture_of_one_class_gives_no_novelty_threshold(rule: Rule) -> None:
    [answer] = classify(replica_of(units(1), [1]), rule, units(1, seed=9), top=5)
    assert (answer.decision, answer.label, answer.confidence) == (DecisionName.KNOWN, "c1", 1.0)
    assert answer.novelty is not None
    assert answer.novelty.threshold is answer.novelty.accepts_unfamiliar is None


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_negative_class_that_wins_means_unknown(rule: Rule) -> None:
    replica = replica_of(np.eye(DIM, dtype=np.float32), [1, 2, 2, 2], negative=[2])
    negative, normal = classify(replica, rule, np.stack([unit(0, 1, 1, 1), unit(1, 0, 0, 0)]), top=5)
    assert (negative.decision, negative.label) == (DecisionName.UNKNOWN, None)
    assert (normal.decision, normal.label) == (DecisionName.KNOWN, "c1")


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_negative_classes_count_together(rule: Rule) -> None:
    """Two negative classes, each a little less probable than the normal one, are more probable together."""
    supports = np.eye(DIM, dtype=np.float32)[:3]
    query = unit(1, 0.97, 0.97, 0)[None]
    rule = replace(rule, false_reject=0.0)
    [apart] = classify(replica_of(supports, [1, 2, 3]), rule, query, top=5)
    [together] = classify(replica_of(supports, [1, 2, 3], negative=[2, 3]), rule, query, top=5)
    assert apart.label == "c1"
    assert together.decision is DecisionName.UNKNOWN


def blobs(classes: int, each: int, *, seed: int, spread: float = 0.5) -> tuple[np.ndarray, list[int]]:
    """Return unit vectors around random directions, and their classes from 1 on."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(77).normal(size=(40, 32))[:classes]
    labels = np.repeat(np.arange(classes), each)
    raw = centres[labels] + spread * rng.normal(size=(len(labels), 32))
    vectors = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    return vectors, (labels + 1).tolist()


@pytest.mark.parametrize("rule", [RuleName.KERNEL, RuleName.RIDGE])
def test_class_of_one_picture_among_large_ones_is_found(rule: RuleName) -> None:
    """Ten classes have sixteen pictures, ten have one; plain ridge hardly ever predicts the latter."""
    vectors, labels = blobs(20, 16, seed=1, spread=1.2)
    few = np.flatnonzero((np.array(labels) <= 10) | (np.arange(len(labels)) % 16 == 0))
    supports, owners = vectors[few], np.array(labels)[few]
    queries, truth = blobs(20, 30, seed=2, spread=1.2)
    answers = classify(replica_of(supports, owners.tolist()), Rule(rule), queries, top=1)
    right = np.array([a.candidates[0].label == f"c{c}" for a, c in zip(answers, truth, strict=True)])
    gram = supports @ supports.T + 1
    weights = np.linalg.solve(gram + 0.5 * np.eye(len(few)), np.eye(20)[owners - 1])
    plain = ((queries @ supports.T + 1) @ weights).argmax(axis=1) + 1 == np.array(truth)
    new = np.array(truth) > 10
    assert right[~new].mean() > 0.8
    assert right[new].mean() > 0.35
    assert plain[new].mean() < 0.15


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_unfamiliar_pictures_are_unknown_and_known_pictures_are_not(rule: Rule) -> None:
    vectors, labels = blobs(10, 8, seed=1)
    replica = replica_of(vectors, labels)
    known = classify(replica, rule, blobs(10, 20, seed=2)[0], top=3)
    strange = classify(replica, rule, units(200, dim=32, seed=3), top=3)
    share = [sum(a.decision is DecisionName.UNKNOWN for a in answers) / 200 for answers in (known, strange)]
    assert share[0] < 0.15
    assert share[1] > 0.9
    assert all((a.label, a.confidence) == (None, 0) for a in strange if a.decision is DecisionName.UNKNOWN)
    assert strange[0].novelty is not None
    assert strange[0].novelty.accepts_unfamiliar is not None
    assert strange[0].novelty.accepts_unfamiliar < 0.2


def test_no_false_reject_allowed_means_nothing_is_called_unknown() -> None:
    vectors, labels = blobs(10, 8, seed=1)
    answers = classify(replica_of(vectors, labels), Rule(false_reject=0.0), units(50, dim=32, seed=3), top=3)
    assert all(answer.decision is not DecisionName.UNKNOWN for answer in answers)
    assert all(a.novelty is not None and a.novelty.threshold is None for a in answers)


def test_best_class_below_the_certainty_is_ambiguous_and_still_named() -> None:
    replica = replica_of(np.stack([unit(1, 0, 0, 0), unit(0, 1, 0, 0)]), [1, 2])
    rule = Rule(false_reject=0.0, certainty=0.9)
    between, clear = classify(replica, rule, np.stack([unit(1.01, 1, 0, 0), unit(1, 0, 0, 0)]), top=2)
    assert (between.decision, between.label) == (DecisionName.AMBIGUOUS, "c1")
    assert (clear.decision, clear.label) == (DecisionName.KNOWN, "c1")


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_explanation_names_supports_of_the_class_and_its_lead(rule: Rule) -> None:
    vectors, labels = blobs(5, 6, seed=1)
    replica = replica_of(vectors, labels)
    [answer] = classify(replica, rule, vectors[:1], top=3)
    scores = np.sort(replica.fit(rule).fit.scores(vectors[:1])[0])
    assert answer.explanation.margin == pytest.approx(scores[-1] - scores[-2])
    reasons = answer.explanation.supports
    assert reasons[0].support_id == 1
    assert {reason.label for reason in reasons} == {"c1"}
    assert [r.share for r in reasons] == sorted((r.share for r in reasons), reverse=True)
    assert 0 < sum(reason.share for reason in reasons) <= 1 + 1e-9
    assert reasons[0].similarity == pytest.approx(1, abs=1e-5)


def test_candidate_set_holds_the_truth_as_often_as_it_says() -> None:
    vectors, labels = blobs(10, 10, seed=1, spread=1.5)
    queries, truth = blobs(10, 60, seed=2, spread=1.5)
    for level in (0.8, 0.95):
        answers = classify(replica_of(vectors, labels), Rule(coverage=level), queries, top=3)
        held = [
            f"c{c}" in (a.candidate_set.labels if a.candidate_set else ())
            for a, c in zip(answers, truth, strict=True)
        ]
        assert level - 0.08 < np.mean(held) <= 1
    assert (
        classify(replica_of(vectors[::5], labels[::5]), Rule(coverage=0.99), queries, top=3)[0].candidate_set
        is None
    )


def test_neighbours_stand_with_the_nearest_first() -> None:
    replica = replica_of(SUPPORTS, list(LABELS), version=5)
    lines, version = search(replica, QUERIES, top=4)
    assert version == 5
    for query, line in zip(QUERIES, lines, strict=True):
        order = np.argsort(-(SUPPORTS @ query))[:4]
        assert [neighbour.support_id for neighbour in line] == list(order + 1)
        assert [neighbour.label for neighbour in line] == [f"c{c}" for c in LABELS[order]]
        np.testing.assert_allclose([n.similarity for n in line], (SUPPORTS @ query)[order], atol=1e-6)


def test_search_of_nothing_finds_nothing() -> None:
    assert search(Replica(DIM), units(2), top=4) == ([(), ()], 0)


TEXTS = LabelVectors({1: unit(1, 0, 0, 0), 2: unit(0, 1, 0, 0)}, scale=10.0)


@pytest.mark.parametrize("rule", [RuleName.AUTO, RuleName.RIDGE])
def test_class_of_a_name_alone_answers_by_its_text(rule: RuleName) -> None:
    replica = Replica(DIM)
    classes = [ClassChange(1, "one", ClassKind.NORMAL), ClassChange(2, "two", ClassKind.NORMAL)]
    replica.apply(Changes(1, classes, []))
    [answer] = classify(replica, Rule(rule), unit(0.5, 1, 0, 0)[None], top=2, texts=TEXTS)
    cosines = np.array([0.5, 1]) / np.sqrt(1.25)
    share = np.exp(10 * cosines) / np.exp(10 * cosines).sum()
    assert (answer.decision, answer.label) == (DecisionName.KNOWN, "two")
    assert answer.confidence == pytest.approx(share[1], abs=1e-6)
    assert answer.neighbours == answer.explanation.supports == ()
    assert classify(replica, Rule(rule), unit(0.5, 1, 0, 0)[None], top=2)[0].decision is DecisionName.UNKNOWN


@pytest.mark.parametrize("rule", [RuleName.KERNEL, RuleName.RIDGE])
def test_pictures_take_over_from_a_misleading_text(rule: RuleName) -> None:
    """The text says that pictures along the first axis are `c1`; pictures say that they are `c2`."""
    query = unit(1, 0.2, 0, 0)[None]
    labels = []
    for each in (0, 1, 10):
        pictures = [unit(1, 0.2, 0.01 * n, 0) for n in range(each)] + [
            unit(0, 0, 0.01 * n, 1) for n in range(each)
        ]
        vectors = np.array(pictures, np.float32).reshape(-1, DIM)
        replica = replica_of(vectors, [2] * each + [1] * each)
        names = [ClassChange(c, f"c{c}", ClassKind.NORMAL) for c in (1, 2)]
        replica.apply(Changes(2, names, []))
        [answer] = classify(replica, Rule(rule, false_reject=0), query, top=2, texts=TEXTS)
        labels.append(answer.candidates[0].label)
    assert labels[0] == "c1"
    assert labels[-1] == "c2"


def test_names_that_say_nothing_are_not_trusted_where_there_are_pictures() -> None:
    vectors, labels = blobs(6, 6, seed=1, spread=1.0)
    misleading = LabelVectors(dict(zip(range(1, 7), units(6, dim=32, seed=8), strict=True)), scale=100.0)
    queries, truth = blobs(6, 40, seed=2, spread=1.0)
    replica = replica_of(vectors, labels)
    right = [
        np.mean([a.candidates[0].label == f"c{c}" for a, c in zip(answers, truth, strict=True)])
        for answers in (
            classify(replica, Rule(), queries, top=1),
            classify(replica, Rule(), queries, top=1, texts=misleading),
        )
    ]
    assert right[1] >= right[0] - 0.01


def test_class_with_only_a_name_is_found_among_classes_with_pictures() -> None:
    """A class without pictures wins if its text supports it, however little the other names help."""
    vectors, labels = blobs(6, 6, seed=1)
    named = np.zeros(32, np.float32)
    named[0] = 1
    texts = LabelVectors(
        {**dict(zip(range(1, 7), units(6, dim=32, seed=8), strict=True)), 7: named}, scale=30.0
    )
    replica = replica_of(vectors, labels)
    replica.apply(Changes(2, [ClassChange(7, "seven", ClassKind.NORMAL)], []))
    [answer] = classify(replica, Rule(), named[None], top=2, texts=texts)
    assert (answer.decision, answer.label) == (DecisionName.KNOWN, "seven")
