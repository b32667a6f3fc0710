"""One evaluation of several labels a picture: supports drawn from a manifest, queries answered, metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cli.label_manifests import LabelledPicture
from cli.trial import BLOCK, DRAWS, mean
from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind, LabelDecision, Rule
from core.vectors import Crops, Vectors
from index.decide_many import classify_many
from index.label_metrics import Judged, Truth, numbers
from index.replica import Replica
from index.supports import Ids

AVERAGED = ("map", "micro_f1", "macro_f1", "micro_precision", "micro_recall", "subset_accuracy", "ece")
NONE = ""  # what the pictures with none of the labels are drawn by


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures with their label sets, as vectors, in the order of their names."""

    labels: Sequence[tuple[str, ...]]
    complete: Sequence[bool]
    vectors: Vectors
    crops: Crops | None = None
    """(n, c, d), of queries whose tiles are looked at"""

    @classmethod
    def of(
        cls, pictures: Sequence[LabelledPicture], vectors: Vectors, crops: Crops | None = None
    ) -> Labelled:
        """Return pictures with their vectors."""
        return cls([one.labels for one in pictures], [one.complete for one in pictures], vectors, crops)

    @property
    def names(self) -> list[str]:
        """The labels in order, each once."""
        return sorted({label for some in self.labels for label in some})

    def take(self, rows: Sequence[int] | Ids) -> Labelled:
        """Return some of the pictures."""
        rows = np.asarray(rows, np.int64)
        some = [self.labels[row] for row in rows], [self.complete[row] for row in rows]
        return Labelled(*some, self.vectors[rows], None if self.crops is None else self.crops[rows])

    def truth(self, names: Sequence[str]) -> Truth:
        """Return which labels each picture bears, as far as that is stated."""
        columns = {label: column for column, label in enumerate(names)}
        truth = np.full((len(self.labels), len(names)), -1, np.int8)
        truth[np.array(self.complete, bool)] = 0
        for row, some in enumerate(self.labels):
            truth[row, [columns[label] for label in some]] = 1
        return truth


def try_out_labels(
    rule: Rule, shots: int, draws: int | None, supports: Labelled, queries: Labelled
) -> dict[str, Any]:
    """Return the metrics as JSON; numbers are averaged over the draws, those per label are the first draw's.

    Without a number of draws there are five, or one where every picture is used.
    """
    names = supports.names
    rows = rows_by_label(supports)
    count = draws or (1 if all(len(own) <= shots for own in rows.values()) else DRAWS)
    truth = queries.truth(names)
    tried = []
    used = None
    for number in range(count):
        replica = enrolled_labels(supports.take(draw_labels(rows, shots, number)), names)
        judged, used = judge(replica, rule, queries, truth, names)
        tried.append(numbers(judged, names))
    means = {name: mean([one[name] for one in tried]) for name in AVERAGED}
    return {
        "shots": shots,
        "draws": count,
        **means,
        "per_label": tried[0]["per_label"],
        "rule_used": used,
    }


def rows_by_label(supports: Labelled) -> Mapping[str, list[int]]:
    """Return the rows that bear each label, and those that bear none."""
    rows: dict[str, list[int]] = {}
    for row, some in enumerate(supports.labels):
        for label in some or (NONE,):
            rows.setdefault(label, []).append(row)
    return rows


def draw_labels(rows: Mapping[str, list[int]], shots: int, number: int) -> Ids:
    """Return the rows of draw `number`: of each label the files from number * shots on, wrapping round.

    A picture of several labels may be drawn for any of them, and is there once.
    """
    drawn = {
        own[(number * shots + step) % len(own)]
        for own in rows.values()
        for step in range(min(shots, len(own)))
    }
    return np.array(sorted(drawn), np.int64)


def enrolled_labels(supports: Labelled, names: Sequence[str]) -> Replica:
    """Return a replica that holds the supports."""
    label_ids = {label: id_ for id_, label in enumerate(names, start=1)}
    classes = [ClassChange(id_, label, ClassKind.NORMAL) for label, id_ in label_ids.items()]
    set_ids: dict[tuple[tuple[str, ...], bool], int] = {}
    changes = []
    kinds = zip(supports.labels, supports.complete, supports.vectors, strict=True)
    for number, (labels, complete, vector) in enumerate(kinds, start=1):
        set_id = set_ids.setdefault((labels, complete), len(names) + len(set_ids) + 1)
        changes.append(SupportChange(number, set_id, vector))
    for (labels, complete), set_id in set_ids.items():
        members = tuple(sorted(label_ids[label] for label in labels))
        classes.append(ClassChange(set_id, f"set {set_id}", ClassKind.SET, False, members, complete))
    replica = Replica(supports.vectors.shape[1])
    replica.apply(Changes(len(changes), classes, changes))
    return replica


def judge(
    replica: Replica, rule: Rule, queries: Labelled, truth: Truth, names: Sequence[str]
) -> tuple[Judged, str]:
    """Ask about pictures, and return what was answered, and the rule that was used."""
    columns = {label: column for column, label in enumerate(names)}
    probabilities = np.zeros(truth.shape)
    given = np.zeros(truth.shape, bool)
    used = ""
    for start in range(0, len(truth), BLOCK):
        some = slice(start, start + BLOCK)
        crops = None if queries.crops is None else queries.crops[some]
        answers = classify_many(replica, rule, queries.vectors[some], top=len(names), crops=crops)
        for row, answer in enumerate(answers, start=start):
            used = answer.rule.value
            for candidate in answer.candidates:
                probabilities[row, columns[candidate.label]] = candidate.probability
            for one in answer.labels:
                given[row, columns[one.label]] = one.decision is LabelDecision.YES
    return Judged(truth, probabilities, given), used
