"""Rules and decisions, against the same written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from supporting import DIM, replica_of, unit, units

from core.types import DecisionName, Metric, Rule, RuleName
from index.decide import SHARPNESS, classify, search
from index.replica import Replica
from index.rules import score

RULES = [Rule(name, metric) for name in RuleName for metric in Metric]
LABELS = np.array([1, 1, 1, 2, 2, 3, 3, 3, 3, 4])
SUPPORTS = units(len(LABELS), dim=16, seed=1)
QUERIES = units(7, dim=16, seed=2)


def written_out(rule: Rule, query: np.ndarray, own: np.ndarray) -> float:
    """Score a query against the supports of one class, on the scale of a cosine."""
    query, own = query.astype(np.float64), own.astype(np.float64)
    if rule.name is RuleName.NEAREST:
        return float((own @ query).max())
    mean = own.mean(axis=0)
    if rule.metric is Metric.COSINE:
        return float(mean @ query / np.linalg.norm(mean))
    return float(1 - np.sum((query - mean) ** 2) / 2)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rule_scores_as_written_out(rule: Rule) -> None:
    evidence = replica_of(SUPPORTS, list(LABELS)).gather(QUERIES, 64)
    expected = [[written_out(rule, q, SUPPORTS[c == LABELS]) for c in evidence.class_ids] for q in QUERIES]
    np.testing.assert_allclose(score(rule, evidence), expected, atol=1e-6)


def test_class_beyond_the_neighbours_has_no_chance_by_the_nearest_rule() -> None:
    supports = np.stack([unit(1, 0, 0, 0), unit(1, 0.1, 0, 0), unit(0, 0, 0, 1)])
    evidence = replica_of(supports, [1, 1, 2]).gather(supports[:1], 2)
    scores = score(Rule(RuleName.NEAREST), evidence)
    assert dict(zip(evidence.class_ids, scores[0], strict=True))[2] == -np.inf


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_probabilities_are_the_softmax_of_the_scores_and_stand_in_order(rule: Rule) -> None:
    for query, answer in zip(
        QUERIES, classify(replica_of(SUPPORTS, list(LABELS)), rule, QUERIES, top=9), strict=True
    ):
        raw = {
            f"c{c}": np.exp(SHARPNESS * written_out(rule, query, SUPPORTS[c == LABELS])) for c in (1, 2, 3, 4)
        }
        probabilities = [candidate.probability for candidate in answer.candidates]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) == pytest.approx(1)
        for candidate in answer.candidates:
            assert candidate.probability == pytest.approx(raw[candidate.label] / sum(raw.values()), abs=1e-4)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_support_itself_is_known_as_its_class(rule: Rule) -> None:
    supports = np.eye(DIM, dtype=np.float32)
    answers = classify(replica_of(supports, [1, 2, 3, 4], version=137), rule, supports, top=2)
    assert [answer.label for answer in answers] == ["c1", "c2", "c3", "c4"]
    assert {answer.decision for answer in answers} == {DecisionName.KNOWN}
    assert {answer.version for answer in answers} == {137}
    assert [len(answer.candidates) for answer in answers] == [2] * 4
    assert all(answer.confidence == answer.candidates[0].probability > 0.9 for answer in answers)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_nothing_enrolled_means_unknown(rule: Rule) -> None:
    [answer] = classify(Replica(DIM), rule, units(1), top=5)
    assert (answer.decision, answer.label, answer.confidence) == (DecisionName.UNKNOWN, None, 0.0)
    assert answer.candidates == answer.neighbours == ()


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_negative_class_that_wins_means_unknown(rule: Rule) -> None:
    replica = replica_of(np.eye(DIM, dtype=np.float32), [1, 2, 2, 2], negative=[2])
    negative, normal = classify(replica, rule, np.stack([unit(0, 1, 1, 1), unit(1, 0, 0, 0)]), top=5)
    assert (negative.decision, negative.label) == (DecisionName.UNKNOWN, None)
    assert (normal.decision, normal.label) == (DecisionName.KNOWN, "c1")


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
