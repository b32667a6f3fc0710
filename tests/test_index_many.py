"""Several labels a picture: the regression in closed form, its calibration, and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from supporting import units

from core.answers import ManyAnswer
from core.changes import Changes, ClassChange, SupportChange
from core.collections import Aim, ClassKind, DecisionName, LabelDecision, Rule, RuleName
from core.errors import ExemplarError
from index import many_fits
from index.decide_many import classify_many
from index.kernel import KernelMatrix
from index.label_sets import LabelledRows, labelled_rows, raise_parents
from index.many_calibration import calibrate_labels
from index.many_fits import KernelLabels, LabelFit, LinearLabels, RowScatter
from index.many_thresholds import thresholds
from index.replica import Replica
from index.snapshot import load, save

DIM = 16
LABELS = {1: "dog", 2: "ball", 3: "beach", 4: "cat"}
DIRECTIONS = np.eye(DIM)[:8]
USUAL = Rule()
Picture = tuple[Sequence[int], bool]
"""The ids of its labels, and whether they are complete."""


def shown(labels: Sequence[int], *, seed: int, spread: float = 0.25, also: int | None = None) -> np.ndarray:
    """Return the vector of a picture: the sum of its labels' directions, and noise."""
    raw = sum((DIRECTIONS[label - 1] for label in labels), np.zeros(DIM))
    if also is not None:
        raw = raw + DIRECTIONS[also]
    noise = np.random.default_rng(seed).normal(size=DIM) / np.sqrt(DIM)
    raw = raw + spread * noise
    return (raw / np.linalg.norm(raw)).astype(np.float32)


def set_changes(pictures: Sequence[Picture], labels: dict[int, str]) -> tuple[list[ClassChange], list[int]]:
    """Return the classes, and the id of each picture's set."""
    ids: dict[Any, int] = {}
    owners = [ids.setdefault((tuple(sorted(one)), complete), 100 + len(ids)) for one, complete in pictures]
    sets = [
        ClassChange(id_, f"\x1f{id_}", ClassKind.SET, False, members, complete)
        for (members, complete), id_ in ids.items()
    ]
    return [*(ClassChange(id_, name, ClassKind.NORMAL) for id_, name in labels.items()), *sets], owners


def replica_of(
    pictures: Sequence[Picture], vectors: Sequence[np.ndarray], labels: dict[int, str] = LABELS
) -> Replica:
    classes, owners = set_changes(pictures, labels)
    supports = [
        SupportChange(n, owner, vector)
        for n, (owner, vector) in enumerate(zip(owners, vectors, strict=True), 1)
    ]
    replica = Replica(DIM)
    replica.apply(Changes(1, classes, supports, 1.0))
    return replica


def toy(each: int = 6, *, complete: bool = True, seed: int = 0) -> tuple[list[Picture], list[np.ndarray]]:
    """Pictures of one to three labels, as often each, and of none where sets are complete."""
    combinations: list[list[int]] = [[1], [2], [3], [4], [1, 2], [2, 3], [1, 2, 3], [3, 4]]
    pictures: list[Picture] = [(some, complete) for some in combinations for _ in range(each)]
    if complete:
        pictures += [([], True)] * each
    vectors = [shown(some, seed=seed + n, also=None if some else 6) for n, (some, _) in enumerate(pictures)]
    return pictures, vectors


def rows_of(pictures: Sequence[Picture], vectors: Sequence[np.ndarray]) -> LabelledRows:
    classes, owners = set_changes(pictures, LABELS)
    by_id = {one.id: one for one in classes}
    ids = np.arange(1, len(pictures) + 1)
    return labelled_rows(ids, np.stack(vectors), np.array(owners), by_id)


def kernel_of(rows: LabelledRows) -> KernelLabels:
    matrix = KernelMatrix()
    matrix.become(rows.ids, rows.vectors, many_fits.ridge_of_sets(rows))
    return KernelLabels(rows, matrix)


def linear_of(rows: LabelledRows) -> LinearLabels:
    return LinearLabels(rows, RowScatter(rows.vectors))


def given_to(answer: ManyAnswer) -> set[str]:
    return {one.label for one in answer.labels if one.decision is LabelDecision.YES}


def ask(replica: Replica, vector: np.ndarray, rule: Rule = USUAL) -> ManyAnswer:
    (answer,) = classify_many(replica, rule, vector[None], top=5)
    return answer


@pytest.mark.parametrize("rule", [RuleName.KERNEL, RuleName.RIDGE])
@pytest.mark.parametrize("complete", [True, False])
def test_separable_labels_are_found_alone_and_together(rule: RuleName, complete: bool) -> None:
    replica = replica_of(*toy(complete=complete))
    for n, labels in enumerate([[1], [4], [1, 2], [3, 4], [1, 2, 3]]):
        answer = ask(replica, shown(labels, seed=900 + n), Rule(rule))
        assert given_to(answer) == {LABELS[label] for label in labels}
        assert (answer.decision, answer.rule) == (DecisionName.KNOWN, rule)
        assert [one.probability for one in answer.labels] == sorted(
            (one.probability for one in answer.labels), reverse=True
        )
        assert answer.confidence == answer.labels[0].probability == answer.candidates[0].probability


def test_unseen_combination_of_known_labels_is_found() -> None:
    answer = ask(replica_of(*toy()), shown([1, 4], seed=950))
    assert given_to(answer) == {"dog", "cat"}


@pytest.mark.parametrize("rule", [RuleName.KERNEL, RuleName.RIDGE])
def test_label_with_one_example_is_found(rule: RuleName) -> None:
    pictures, vectors = toy()
    pictures, vectors = [*pictures, ([5], True)], [*vectors, shown([5], seed=70)]
    replica = replica_of(pictures, vectors, {**LABELS, 5: "kite"})
    for n in range(5):
        assert given_to(ask(replica, shown([5], seed=800 + n), Rule(rule))) == {"kite"}
        assert "kite" in given_to(ask(replica, shown([5, 1], seed=850 + n), Rule(rule)))


def test_every_label_with_one_example_is_found() -> None:
    pictures: list[Picture] = [([label], False) for label in (1, 2, 3, 4)]
    replica = replica_of(pictures, [shown(some, seed=label) for label, (some, _) in enumerate(pictures)])
    for label, name in LABELS.items():
        answer = ask(replica, shown([label], seed=700 + label))
        assert name in given_to(answer)
        assert answer.candidates[0].label == name
        assert answer.candidates[0].probability > 2 * answer.candidates[1].probability


def test_picture_like_those_of_none_of_the_labels_is_none() -> None:
    answer = ask(replica_of(*toy()), shown([], seed=990, also=6))
    assert (answer.decision, answer.labels, answer.confidence) == (DecisionName.NONE, (), 0.0)
    assert answer.neighbours[0].labels == () and answer.neighbours[0].complete


def test_picture_unlike_all_supports_is_unknown() -> None:
    answer = ask(replica_of(*toy()), -shown([1], seed=991))
    assert (answer.decision, answer.labels, answer.confidence) == (DecisionName.UNKNOWN, (), 0.0)
    assert answer.novelty is not None and answer.novelty.threshold is not None
    assert answer.novelty.score < answer.novelty.threshold


def test_no_picture_is_unknown_without_a_false_reject() -> None:
    answer = ask(replica_of(*toy()), -shown([1], seed=991), Rule(false_reject=0))
    assert answer.decision is not DecisionName.UNKNOWN


def test_empty_collection_answers_unknown() -> None:
    answer = ask(replica_of([], []), shown([1], seed=0))
    assert (answer.decision, answer.candidates, answer.neighbours) == (DecisionName.UNKNOWN, (), ())


def test_collection_of_pictures_without_labels_answers_none() -> None:
    replica = replica_of([([], True)] * 6, [shown([], seed=n, also=6) for n in range(6)])
    assert ask(replica, shown([], seed=9, also=6)).decision is DecisionName.NONE


def test_neighbours_state_the_labels_of_their_sets() -> None:
    pictures: list[Picture] = [([2, 1], True), ([3], False)]
    answer = ask(replica_of(pictures, [shown([1, 2], seed=1), shown([3], seed=2)]), shown([1, 2], seed=3))
    first, second = answer.neighbours
    assert (first.support_id, first.labels, first.complete) == (1, ("ball", "dog"), True)
    assert (second.support_id, second.labels, second.complete) == (2, ("beach",), False)
    assert first.similarity > second.similarity


def test_explanation_names_supports_that_bear_the_label() -> None:
    pictures, vectors = toy()
    answer = ask(replica_of(pictures, vectors), shown([1, 3], seed=960))
    for one in answer.labels:
        label = {name: id_ for id_, name in LABELS.items()}[one.label]
        assert one.explanation.supports
        assert all(label in pictures[found.support_id - 1][0] for found in one.explanation.supports)
        shares = [found.share for found in one.explanation.supports]
        assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1 + 1e-9


def test_child_implies_its_parents() -> None:
    labels = {1: "animal/dog", 2: "ball", 3: "animal", 4: "animal/dog/poodle"}
    pictures: list[Picture] = [([1], True), ([2], True), ([3], True), ([4], True)] * 5
    vectors = [shown(some, seed=n) for n, (some, _) in enumerate(pictures)]
    answer = ask(replica_of(pictures, vectors, labels), shown([4], seed=970))
    assert {"animal", "animal/dog", "animal/dog/poodle"} <= given_to(answer)
    found = {candidate.label: candidate.probability for candidate in answer.candidates}
    assert found["animal"] >= found["animal/dog"] >= found["animal/dog/poodle"]


def test_parents_are_at_least_their_children_down_any_depth() -> None:
    values = np.array([[0.1, 0.2, 0.9, 0.3]])
    raise_parents(values, np.array([-1, 0, 1, 0]))
    assert values.tolist() == [[0.9, 0.9, 0.9, 0.3]]


def test_removed_support_no_longer_answers() -> None:
    pictures, vectors = toy()
    pictures, vectors = [*pictures, ([5], True)], [*vectors, shown([5], seed=70)]
    replica = replica_of(pictures, vectors, {**LABELS, 5: "kite"})
    assert "kite" in given_to(ask(replica, shown([5], seed=800)))
    replica.apply(Changes(2, [], [SupportChange(len(pictures), None, None)], 1.0))
    answer = ask(replica, shown([5], seed=800))
    assert "kite" not in {candidate.label for candidate in answer.candidates}
    assert answer.index_version == 2


def test_changed_members_of_a_set_count_at_once() -> None:
    pictures, vectors = toy()
    replica = replica_of(pictures, vectors)
    assert given_to(ask(replica, shown([1, 2], seed=980))) == {"dog", "ball"}
    changed = [
        ClassChange(one.id, one.label, one.kind, False, tuple(set(one.members) - {2}), one.complete)
        for one in replica.classes.values()
        if one.kind is ClassKind.SET
    ]
    replica.apply(Changes(2, changed, [], 1.0))
    assert given_to(ask(replica, shown([1, 2], seed=980))) == {"dog"}


STEP = st.dictionaries(st.integers(1, 40), st.integers(0, 8), min_size=1, max_size=10)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [RuleName.KERNEL, RuleName.RIDGE])
@given(history=st.lists(STEP, min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_after_any_history_it_equals_a_fit_from_scratch(rule: RuleName, history: Any) -> None:
    """Each step gives supports one of eight sets, or removes them (0)."""
    vectors = units(41, dim=DIM, seed=3)
    kinds: list[Picture] = [([1], False), ([2], False), ([1, 2], True), ([3], True), ([], True)]
    kinds += [([2, 3], False), ([4], False), ([1, 2, 3], True)]
    classes, owners = set_changes(kinds, LABELS)
    replica, held = Replica(DIM), dict[int, int]()
    replica.apply(Changes(1, classes, [], 1.0))
    for version, step in enumerate(history, start=2):
        changes = []
        for id_, kind in step.items():
            if kind:
                held[id_] = owners[kind - 1]
                changes.append(SupportChange(id_, held[id_], vectors[id_]))
            elif held.pop(id_, None) is not None:
                changes.append(SupportChange(id_, None, None))
        replica.apply(Changes(version, [], changes, 1.0))
        replica.fit_labels(Rule(rule))
    fresh = Replica(DIM)
    supports = [SupportChange(id_, owner, vectors[id_]) for id_, owner in held.items()]
    fresh.apply(Changes(len(history) + 1, classes, supports, 1.0))
    if not held:
        return
    one, other = (each.fit_labels(Rule(rule))[0] for each in (replica, fresh))
    queries = units(5, dim=DIM, seed=4)
    for left, right in zip(one.fit.scores(queries), other.fit.scores(queries), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-8)
    for left, right in zip(one.probabilities(queries), other.probabilities(queries), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


@pytest.mark.parametrize("fitted", [kernel_of, linear_of])
def test_left_out_supports_are_scored_as_without_a_group_of_one(fitted: Any) -> None:
    rows = rows_of(*toy(2))
    some = np.array([4, 0, 17])
    fit: LabelFit = fitted(rows)
    for left, right in zip(
        fit.left_out(some), fit.scores_without(rows.vectors[some], some[:, None]), strict=True
    ):
        np.testing.assert_allclose(left, right, atol=1e-6)  # vectors are float32, of unit length to 1e-7


@pytest.mark.parametrize("fitted", [kernel_of, linear_of])
def test_scores_without_a_group_are_those_of_a_fit_without_it(fitted: Any) -> None:
    pictures, vectors = toy(2)
    groups = np.array([[0, 5, 9], [3, 1, 2]])
    queries = units(2, dim=DIM, seed=8)
    fit: LabelFit = fitted(rows_of(pictures, vectors))
    scores, familiarity = fit.scores_without(queries, groups)
    for line, group in enumerate(groups):
        kept = [n for n in range(len(pictures)) if n not in group]
        rest = fitted(rows_of([pictures[n] for n in kept], [vectors[n] for n in kept]))
        alone, familiar = rest.scores(queries[line : line + 1])
        np.testing.assert_allclose(scores[line], alone[0], atol=1e-8)
        np.testing.assert_allclose(familiarity[line], familiar[0], atol=1e-8)


def test_familiarity_is_the_share_that_supports_explain() -> None:
    pictures, vectors = toy()
    for fit in (kernel_of(rows_of(pictures, vectors)), linear_of(rows_of(pictures, vectors))):
        _, familiarity = fit.scores(np.stack([vectors[0], -vectors[0]]))
        assert 1 >= familiarity[0] > familiarity[1] >= 0


@pytest.mark.parametrize("fitted", [kernel_of, linear_of])
def test_unstated_labels_of_partial_sets_are_taken_as_absent_with_less_trust(fitted: Any) -> None:
    complete, vectors = toy()
    partial: list[Picture] = [(labels, False) for labels, _ in complete]
    sure, unsure = (
        fitted(rows_of(some, vectors)).scores(np.stack(vectors))[0] for some in (complete, partial)
    )
    absent = np.array([[label not in labels for label in LABELS] for labels, _ in complete])
    assert np.abs(unsure[absent]).max() < 0.3
    assert np.abs(sure[absent]).mean() <= np.abs(unsure[absent]).mean()


def test_probabilities_are_calibrated() -> None:
    rng = np.random.default_rng(1)
    combinations = [
        sorted(rng.choice([1, 2, 3, 4], size=rng.integers(1, 4), replace=False)) for _ in range(400)
    ]
    vectors = [shown(some, seed=n, spread=2.0) for n, some in enumerate(combinations)]
    replica = replica_of([([int(label) for label in some], True) for some in combinations[:80]], vectors[:80])
    fitted, _ = replica.fit_labels(Rule())
    probabilities, _ = fitted.probabilities(np.stack(vectors[80:]))
    truth = np.array([[label in some for label in LABELS] for some in combinations[80:]])
    bins = np.minimum((probabilities * 10).astype(int), 9)
    gaps = [
        abs((probabilities - truth)[bins == number].sum()) for number in range(10) if (bins == number).any()
    ]
    assert sum(gaps) / truth.size < 0.1
    assert probabilities[truth].mean() > probabilities[~truth].mean() + 0.2


def test_higher_precision_gives_higher_thresholds_and_is_expected_to_cost_recall() -> None:
    rng = np.random.default_rng(2)
    combinations = [
        sorted(rng.choice([1, 2, 3, 4], size=rng.integers(1, 4), replace=False)) for _ in range(120)
    ]
    vectors = [shown(some, seed=n, spread=2.0) for n, some in enumerate(combinations)]
    rows = rows_of([([int(label) for label in some], True) for some in combinations], vectors)
    calibration = calibrate_labels(kernel_of(rows))
    low, high = (thresholds(calibration, Rule(aim=Aim.PRECISION, precision=aim)) for aim in (0.7, 0.95))
    assert (high.yes >= low.yes).all() and (high.yes > low.yes).any()
    assert (high.recall <= low.recall).all()
    assert (low.precision >= 0.7).all() and (high.precision >= 0.95).all()
    best = thresholds(calibration, Rule(aim=Aim.F1))
    assert (best.unsure <= best.yes).all()
    f1 = [2 * one.precision * one.recall / (one.precision + one.recall) for one in (low, best, high)]
    assert (f1[1] >= f1[0] - 1e-9).all() and (f1[1] >= f1[2] - 1e-9).all()


def test_label_below_its_threshold_is_unsure() -> None:
    rng = np.random.default_rng(3)
    combinations = [[int(label)] for label in rng.integers(1, 5, 60)]
    vectors = [shown(some, seed=n, spread=2.0) for n, some in enumerate(combinations)]
    replica = replica_of([(some, True) for some in combinations], vectors)
    rule = Rule(aim=Aim.PRECISION, precision=0.99, false_reject=0)
    answers = classify_many(replica, rule, np.stack(vectors), top=4)
    decisions = {answer.decision for answer in answers}
    assert DecisionName.AMBIGUOUS in decisions
    unsure = next(answer for answer in answers if answer.decision is DecisionName.AMBIGUOUS)
    assert unsure.labels and all(one.decision is LabelDecision.UNSURE for one in unsure.labels)
    assert unsure.confidence == unsure.labels[0].probability


def test_rules_without_a_form_for_several_labels_answer_as_the_usual_one() -> None:
    assert ask(replica_of(*toy()), shown([1], seed=3), Rule(RuleName.NEAREST)).rule is RuleName.KERNEL


def test_snapshot_keeps_label_sets(tmp_path: Any) -> None:
    replica = replica_of(*toy())
    save(replica, tmp_path, 1)
    loaded = load(tmp_path, 1, DIM)
    assert loaded is not None and loaded.classes == replica.classes
    query = shown([1, 2], seed=5)
    assert given_to(ask(loaded, query)) == given_to(ask(replica, query)) == {"dog", "ball"}


def test_vectors_in_milvus_are_refused() -> None:
    from index.vector_store import VectorStoreReplica

    replica: Any = VectorStoreReplica.__new__(VectorStoreReplica)
    with pytest.raises(ExemplarError, match="expected an index in memory"):
        classify_many(replica, Rule(), units(1, dim=DIM), top=1)
