"""The report on arrays whose right answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from supporting import make_supports

from core.collections import ClassKind, Metric, RuleName
from core.report import CollectionReport, Judgement
from index import confusion, quality, report
from index.quality import near_pictures, spread
from index.report import Subject, make_report, rows_to_judge

DIM = 32


def units(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def subject(
    owners: list[int] | np.ndarray,
    vectors: np.ndarray | None = None,
    *,
    negative: tuple[int, ...] = (),
    named: tuple[int, ...] = (),
) -> Subject:
    """Supports of classes 1, 2, ..., called `class 01`, `class 02`, ...; ids are 101, 102, ..."""
    owners = np.asarray(owners, np.int64)
    if vectors is None:
        vectors = np.random.default_rng(0).normal(size=(len(owners), DIM))
    ids = np.arange(len(owners)) + 101
    supports = make_supports(ids, owners, units(vectors), np.array(named, np.int64))
    return Subject(
        version=7,
        rule=RuleName.AUTO,
        metric=Metric.COSINE,
        rule_used=RuleName.KERNEL,
        supports=supports,
        labels=[f"class {class_id:02}" for class_id in supports.class_ids],
        kinds=[
            ClassKind.NEGATIVE if class_id in negative else ClassKind.NORMAL
            for class_id in supports.class_ids
        ],
    )


def judged(of: Subject, named: list[int] | np.ndarray | None = None, **more: object) -> CollectionReport:
    """Make the report; `named` are the predicted columns of all supports, -1 for no prediction."""
    columns = of.supports.columns if named is None else np.asarray(named)
    probabilities = np.full((len(columns), len(of.labels)), 0.1)
    probabilities[np.arange(len(columns)), columns] = 0.9
    probabilities[(columns < 0) | (of.supports.counts[of.supports.columns] < 2)] = np.nan
    return make_report(of, np.arange(len(columns)), probabilities, **more)


def clusters(owners: list[int], *, spread: float = 0.05, seed: int = 0) -> np.ndarray:
    """Vectors near the axis of their class, as far apart as `spread` says."""
    noise = np.random.default_rng(seed).normal(size=(len(owners), DIM)) * spread
    return noise + np.eye(DIM)[np.asarray(owners)]


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn.metrics import classification_report, confusion_matrix

    rng = np.random.default_rng(seed)
    owners = np.concatenate([np.arange(1, 6), np.arange(1, 6), rng.integers(1, 6, 30)])
    named = rng.integers(0, 5, len(owners))
    found = judged(subject(owners), named)
    expected = classification_report(
        owners, named + 1, labels=np.arange(1, 6), output_dict=True, zero_division=0
    )
    assert found.accuracy == pytest.approx(expected["accuracy"], abs=1e-6)
    for class_id, line in enumerate(found.classes, start=1):
        row = expected[str(class_id)]
        assert (line.precision, line.recall, line.f1, line.judged) == pytest.approx(
            tuple(row.values()), abs=1e-6
        )
    for ours, theirs in ((found.macro_avg, "macro avg"), (found.weighted_avg, "weighted avg")):
        assert ours is not None
        assert (ours.precision, ours.recall, ours.f1, ours.judged) == pytest.approx(
            tuple(expected[theirs].values()), abs=1e-6
        )
    matrix = confusion_matrix(owners, named + 1, labels=np.arange(1, 6))
    assert np.array_equal(found.confusion.counts, matrix)


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_mistakes_are_the_supports_of_the_cells_off_the_diagonal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    owners = np.concatenate([np.arange(1, 5), rng.integers(1, 5, 20)])
    found = judged(of := subject(owners), rng.integers(-1, 4, len(owners)))
    counts = np.zeros((4, 4), np.int64)
    for one in found.mistakes.items:
        row, column = (found.confusion.labels.index(name) for name in (one.label, one.named))
        assert of.labels[of.supports.columns[one.support_id - 101]] == one.label
        counts[row, column] += 1
    off = np.array(found.confusion.counts)
    np.fill_diagonal(off, 0)
    assert np.array_equal(counts, off) and found.mistakes.total == off.sum()


def test_classes_stand_in_the_order_of_their_labels() -> None:
    of = subject([1, 1, 2, 2, 3, 3])
    of = Subject(of.version, of.rule, of.metric, of.rule_used, of.supports, ["c", "a", "b"], of.kinds)
    found = judged(of, [1, 1, 1, 1, 2, 2])
    assert [line.label for line in found.classes] == ["a", "b", "c"]
    assert found.confusion.labels == ("a", "b", "c")
    assert found.confusion.counts == ((2, 0, 0), (0, 2, 0), (2, 0, 0))


def test_lone_support_is_not_judged_and_its_class_has_no_figures() -> None:
    found = judged(subject([1] * 8 + [2] * 3 + [3]), [0] * 8 + [1, 1, 2] + [0])
    fair, rough, lone = found.classes
    assert (fair.judgement, rough.judgement, lone.judgement) == tuple(Judgement)
    assert (lone.judged, lone.precision, lone.recall, lone.f1) == (0, None, None, None)
    assert rough.recall == pytest.approx(2 / 3, abs=1e-6)  # one of it was confused with the single one
    assert (found.judged, found.supports) == (11, 12)
    assert [small.label for small in found.too_small.items] == ["class 03", "class 02"]
    assert "1 of 3 classes" in found.notes[0]


def test_pair_taken_for_each_other_most_often_comes_first() -> None:
    owners = [1] * 10 + [2] * 10 + [3] * 10
    named = [0] * 8 + [1] * 2 + [1] * 7 + [0] * 3 + [2] * 9 + [0]
    first, second = judged(subject(owners), named).confused_pairs.items
    assert (first.labels, first.count, first.taken) == (("class 01", "class 02"), 5, (2, 3))
    assert first.rate == 0.25
    assert (second.labels, second.count, second.taken) == (("class 01", "class 03"), 1, (0, 1))


def test_wrong_label_is_found_and_ranked_first() -> None:
    owners = [1] * 6 + [2] * 6 + [3] * 6
    vectors = clusters(owners, spread=0.1)
    vectors[4] = clusters([2], seed=9)[0]
    [suspect] = judged(subject(owners, vectors)).suspects.items
    assert (suspect.support_id, suspect.label, suspect.looks_like) == (105, "class 01", "class 02")
    assert suspect.margin < -0.5


def test_suspects_are_ranked_by_margin_and_counted_beyond_the_limit() -> None:
    rng = np.random.default_rng(1)
    found = judged(subject(rng.integers(1, 5, 300))).suspects
    assert found.total > len(found.items) == report.SUSPECTS_MOST
    listed = [suspect.margin for suspect in found.items]
    assert listed == sorted(listed) and listed[-1] < 0


def test_margin_is_the_one_by_definition() -> None:
    of = subject([1, 1, 1, 2, 2, 3])
    found = quality.margins(of.supports, np.arange(6))
    vectors, columns = of.supports.vectors.astype(np.float64), of.supports.columns
    assert found.rows.tolist() == [0, 1, 2, 3, 4]  # the last is alone

    def cosine(row: int, column: int) -> float:
        others = (columns == column) & (np.arange(6) != row)
        mean = vectors[others].mean(axis=0)
        return float(vectors[row] @ mean / np.linalg.norm(mean))

    for row, value, rival in zip(found.rows, found.values, found.rivals, strict=True):
        rest = {column: cosine(row, column) for column in range(3) if column != columns[row]}
        assert rival == max(rest, key=rest.__getitem__)
        assert value == pytest.approx(cosine(row, columns[row]) - rest[rival], abs=1e-6)


def test_members_of_a_negative_class_are_no_suspects() -> None:
    owners = [1] * 6 + [2] * 6
    vectors = clusters(owners)
    vectors[[3, 9]] = vectors[[9, 3]]
    found = judged(subject(owners, vectors, negative=(2,))).suspects
    assert [suspect.support_id for suspect in found.items] == [104]


def test_same_picture_in_two_classes_is_a_conflict() -> None:
    pictures = {101: "aa", 103: "bb", 104: "bb", 102: "aa", 999: "aa"}
    found = judged(subject([1, 1, 1, 2]), pictures=pictures).duplicates
    assert [(one.support_ids, one.conflict) for one in found.items] == [
        ((101, 102), False),
        ((103, 104), True),
    ]
    assert found.items[1].labels == ("class 01", "class 02")


def test_near_duplicates_are_grouped_and_others_are_not() -> None:
    vectors = np.random.default_rng(3).normal(size=(40, DIM))
    for twin, of in ((7, 5), (9, 5), (31, 30)):
        vectors[twin] = vectors[of] + 0.01 * vectors[twin]
    groups = near_pictures(units(vectors))
    assert sorted(map(sorted, map(np.ndarray.tolist, groups))) == [[5, 7, 9], [30, 31]]


def test_of_few_supports_only_equal_vectors_are_near_duplicates() -> None:
    vectors = np.eye(DIM)[:4]
    vectors[1] = vectors[0] + 0.05 * vectors[1]
    assert near_pictures(units(vectors)) == []
    vectors[1] = vectors[0]
    [group] = near_pictures(units(vectors))
    assert group.tolist() == [0, 1]


def test_vectors_that_are_all_equal_are_one_group() -> None:
    [group] = near_pictures(units(np.ones((30, DIM))))
    assert group.tolist() == list(range(30))


def test_duplicate_is_not_listed_again_as_a_near_duplicate() -> None:
    owners = [1] * 10 + [2] * 10
    vectors = clusters(owners, spread=0.3)
    vectors[15] = vectors[3]
    of = subject(owners, vectors)
    assert judged(of).near_duplicates.items[0].support_ids == (104, 116)
    found = judged(of, pictures={104: "aa", 116: "aa"})
    assert (found.duplicates.total, found.near_duplicates.total) == (1, 0)


def test_classes_with_the_fewest_pictures_are_wanted_first_and_of_these_the_weakest() -> None:
    owners = [1] * 8 + [2] * 5 + [3] * 5 + [4] + [5] * 9
    named = [0] * 8 + [1] * 5 + [2, 2, 2, 2, 1] + [3] + [4] * 4 + [0] * 5
    of = subject(owners, named=(6,))
    wanted = judged(of, named).wanted.items
    assert [(one.label, one.more) for one in wanted] == [
        ("class 06", 8),
        ("class 04", 7),
        ("class 03", 3),
        ("class 02", 3),
        ("class 05", 3),
        ("class 01", 3),
    ]
    assert wanted[0].reason == "0 pictures so far; 8 make this figure reliable"
    assert wanted[4].reason == "F1 0.62, mostly confused with class 01"


def test_nothing_more_is_wanted_of_a_negative_class() -> None:
    assert judged(subject([1] * 8 + [2] * 2, negative=(2,))).wanted.total == 0


def test_empty_collection_has_an_empty_report() -> None:
    of = subject([], np.empty((0, DIM)))
    assert len(rows_to_judge(of.supports)) == 0
    found = make_report(of, np.empty(0, np.int64), np.empty((0, 0)))
    assert (found.supports, found.judged, found.accuracy, found.classes) == (0, 0, None, ())
    assert (found.macro_avg, found.confusion.labels, found.confusion.counts) == (None, (), ())
    assert found.notes == ("Nothing is enrolled yet.",)


def test_one_support_each_can_be_reported_on_without_a_figure() -> None:
    of = subject([1, 2, 3])
    assert len(rows_to_judge(of.supports)) == 0
    found = make_report(of, np.empty(0, np.int64), np.empty((0, 3)))
    assert (found.accuracy, found.judged, found.wanted.total) == (None, 0, 3)
    assert [line.judgement for line in found.classes] == [Judgement.NOT_ASSESSABLE] * 3


def test_report_notes_that_one_class_cannot_be_confused() -> None:
    found = judged(subject([1] * 9))
    assert found.accuracy == 1.0
    assert "one class" in found.notes[0]


def test_of_many_classes_the_most_confused_are_shown_and_the_rest_is_sparse() -> None:
    owners = np.repeat(np.arange(1, 151), 2)
    named = np.repeat(np.arange(150), 2)
    named[[0, 1, 298, 299]] = [149, 149, 0, 140]
    found = judged(subject(owners), named).confusion
    assert not found.complete
    assert len(found.labels) == len(found.counts) == confusion.MATRIX_MOST
    assert {"class 01", "class 141", "class 150"} < set(found.labels)
    assert found.errors is not None and found.errors.total == 3
    assert found.errors.items[0].model_dump() == {"label": "class 01", "named": "class 150", "count": 2}


def test_of_many_supports_the_first_of_each_class_are_taken() -> None:
    columns = np.array([0, 0, 0, 0, 1, 0, 2, 1])
    assert spread(columns, 8).tolist() == list(range(8))
    assert spread(columns, 5).tolist() == [0, 1, 4, 6, 7]


def test_report_notes_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "EXAMINED_MOST", 20)
    of = subject(np.repeat(np.arange(1, 6), 10))
    rows = rows_to_judge(of.supports)
    assert np.bincount(of.supports.columns[rows]).tolist() == [4] * 5
    found = make_report(of, rows, np.eye(5)[of.supports.columns[rows]])
    assert (found.supports, found.judged, found.examined, found.accuracy) == (50, 20, 20, 1.0)
    assert len(found.notes) == 2 and all("Of 50 supports 20" in note for note in found.notes)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    of = subject(np.random.default_rng(5).integers(1, 9, 200))
    whole = judged(of)
    monkeypatch.setattr(quality, "BLOCK_CELLS", 700)
    assert judged(of) == whole


def test_report_comes_back_from_its_json_as_it_was() -> None:
    found = judged(subject([1, 1, 2, 2, 3]), [0, 1, 1, 1, -1])
    assert CollectionReport.model_validate_json(found.model_dump_json()) == found
    assert CollectionReport.model_validate(found.model_dump(mode="json")) == found
