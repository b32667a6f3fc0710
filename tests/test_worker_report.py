"""The report of a replica, by every rule and down to no supports at all."""

from __future__ import annotations

import numpy as np
import pytest

from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind, Rule, RuleName
from index.replica import Replica
from index.texts import LabelVectors
from worker.report import report_on

DIM = 8
RULES = [rule for rule in RuleName if rule is not RuleName.AUTO]


def replica(*counts: int) -> Replica:
    """Classes 1, 2, ... of so many supports around an axis each."""
    rng = np.random.default_rng(0)
    made = Replica(DIM)
    classes = [ClassChange(n, f"class {n}", ClassKind.NORMAL) for n in range(1, len(counts) + 1)]
    owners = np.repeat(np.arange(1, len(counts) + 1), counts)
    supports = []
    for row, owner in enumerate(owners.tolist(), start=1):
        vector = np.eye(DIM)[owner - 1] + rng.normal(size=DIM) * 0.05
        supports.append(SupportChange(row, owner, (vector / np.linalg.norm(vector)).astype(np.float32)))
    made.apply(Changes(len(supports) + len(classes), classes, supports))
    return made


@pytest.mark.parametrize("rule", RULES)
def test_supports_of_clear_classes_are_all_classified(rule: RuleName) -> None:
    report = report_on(replica(4, 3, 2, 1), Rule(rule), None, {})
    assert (report.rule_used, report.version) == (rule, 14)
    assert (report.accuracy, report.judged, report.supports) == (1.0, 9, 10)
    assert report.confusion.counts == ((4, 0, 0, 0), (0, 3, 0, 0), (0, 0, 2, 0), (0, 0, 0, 0))
    assert report.suspects.total == 0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("counts", [(), (1,), (2,), (1, 1, 1)])
def test_next_to_nothing_can_be_reported_on(rule: RuleName, counts: tuple[int, ...]) -> None:
    report = report_on(replica(*counts), Rule(rule), None, {})
    assert (report.supports, len(report.classes)) == (sum(counts), len(counts))
    assert report.accuracy == (1.0 if counts == (2,) else None)


@pytest.mark.parametrize("counts", [(0, 0), (3, 0), (3, 3)])
def test_class_of_a_name_alone_stands_in_the_report(counts: tuple[int, ...]) -> None:
    texts = LabelVectors({1: np.eye(DIM, dtype=np.float32)[0], 2: np.eye(DIM, dtype=np.float32)[1]}, 20.0)
    report = report_on(replica(*counts), Rule(RuleName.KERNEL), texts, {})
    assert [line.supports for line in report.classes] == list(counts)
    assert {one.label for one in report.wanted.items} == {"class 1", "class 2"}
    assert report.accuracy == (1.0 if sum(counts) else None)


def test_support_among_another_class_is_named_by_that_class_and_suspected() -> None:
    made = replica(6, 6)
    outlier = np.eye(DIM, dtype=np.float32)[1]
    made.apply(Changes(15, [], [SupportChange(13, 1, outlier)]))
    report = report_on(made, Rule(), None, {1: "aa", 13: "aa"})
    assert report.confusion.counts == ((6, 1), (0, 6))
    [suspect] = report.suspects.items
    assert (suspect.support_id, suspect.looks_like) == (13, "class 2")
    assert report.duplicates.items[0].support_ids == (1, 13)
