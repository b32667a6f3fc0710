"""The report of several labels a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.changes import Changes, ClassChange, SupportChange
from core.collections import Aim, ClassKind, Rule
from core.label_report import LabelProblem, LabelReport
from index.label_report import label_report
from index.replica import Replica

DIM = 24
BEACH, DOG, ANIMAL, ODD = 1, 2, 3, 4
NAMES = {BEACH: "beach", DOG: "animal/dog", ANIMAL: "animal", ODD: "odd"}
SETS = {10: (BEACH,), 11: (DOG, ANIMAL), 12: (BEACH, DOG, ANIMAL), 13: (), 14: (ODD,)}


def taught(supports: list[tuple[int, int]], *, complete: bool = True) -> Replica:
    """Return a replica of supports, each given by its set and the set that its picture shows."""
    random = np.random.default_rng(5)
    directions = np.linalg.qr(random.standard_normal((DIM, DIM)))[0]
    changes = []
    for number, (set_id, shown) in enumerate(supports, 1):
        vector = directions[0] + 0.15 * random.standard_normal(DIM)
        for label in SETS[shown]:
            vector = vector + 1.5 * directions[label]
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        changes.append(SupportChange(number, set_id, unit))
    classes = [ClassChange(id_, name, ClassKind.NORMAL) for id_, name in NAMES.items()]
    classes += [
        ClassChange(id_, f"\x1f{id_}", ClassKind.SET, members=tuple(sorted(members)), complete=complete)
        for id_, members in SETS.items()
    ]
    replica = Replica(DIM)
    replica.apply(Changes(len(supports), classes, changes))
    return replica


CLEAR = [(set_id, set_id) for _ in range(10) for set_id in (10, 11, 12, 13)]


def lines(report: LabelReport) -> dict[str, tuple[int, float | None, float | None]]:
    return {line.label: (line.supports, line.precision, line.recall) for line in report.labels}


def test_labels_that_are_told_apart_are_right() -> None:
    report = label_report(taught(CLEAR), Rule())
    assert (report.supports, report.complete, report.judged, report.version) == (40, 40, 40, 40)
    assert list(lines(report)) == ["animal", "animal/dog", "beach"]
    assert lines(report)["beach"][0] == 20
    for _, precision, recall in lines(report).values():
        assert (precision or 0) > 0.9
        assert (recall or 0) > 0.9
    assert report.average is not None
    assert report.average.map is not None
    assert report.average.map > 0.95
    assert report.notes == ()


def test_labels_that_are_together_are_counted_without_parents() -> None:
    report = label_report(taught(CLEAR), Rule())
    assert [(pair.labels, pair.supports) for pair in report.together.items] == [
        (("animal", "beach"), 10), (("animal/dog", "beach"), 10),
    ]  # fmt: skip
    assert report.together.items[0].shares == (0.5, 0.5)


def test_missing_and_wrong_labels_are_suspects() -> None:
    supports = [*CLEAR, (13, 10), (12, 10)]  # one says that its beach is nothing, one that there is a dog
    report = label_report(taught(supports), Rule())
    found = {(one.support_id, one.label, one.problem) for one in report.suspects.items}
    assert (41, "beach", LabelProblem.MISSING) in found
    assert (42, "animal/dog", LabelProblem.WRONG) in found
    assert {support for support, _, _ in found} == {41, 42}
    assert all(one.stated for one in report.suspects.items)


def test_what_partial_sets_do_not_state_is_not_judged() -> None:
    report = label_report(taught(CLEAR[:-1], complete=False), Rule())
    assert report.complete == 0
    assert {line.precision for line in report.labels} == {1.0}
    assert "no support has complete labels" in report.notes[0]


def test_only_support_of_a_label_cannot_be_judged() -> None:
    report = label_report(taught([*CLEAR, (14, 14)]), Rule())
    odd = next(line for line in report.labels if line.label == "odd")
    assert (odd.supports, odd.judged, odd.judgement, odd.precision) == (1, 0, "not_assessable", None)


@pytest.mark.parametrize("rule", [Rule(), replace(Rule(), aim=Aim.PRECISION, precision=0.95)])
def test_report_of_nothing_is_empty(rule: Rule) -> None:
    report = label_report(Replica(DIM), rule)
    assert (report.labels, report.average, report.suspects.total) == ((), None, 0)
    assert (report.aim, report.precision) == (rule.aim, rule.precision)
    assert report.notes == ("nothing has been enrolled yet",)
