"""The report of a collection, computed from arrays: each support is judged by the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from core.collections import ClassKind, IndexName, Metric, RuleName
from core.report import (
    FAIR,
    ClassLine,
    CollectionReport,
    Duplicates,
    Harmful,
    Judgement,
    Listed,
    Mistake,
    SmallClass,
    Suspect,
    Wanted,
)
from core.shares import wilson
from index.confusion import DIGITS, Judged, judge, matrix, pairs, predictions, table
from index.quality import margins, near_pictures, same_pictures, spread
from index.supports import Floats, Ids, Supports

EXAMINED_MOST = 10_000  # supports compared with each other: a few seconds of one core
JUDGED_CELLS = 10_000_000  # supports times classes: 80 MB of probabilities, and as much temporarily
SUSPECTS_MOST = 50
MISTAKES_MOST = 1000
DUPLICATES_MOST = 50
SMALL_MOST = 200
WANTED_MOST = 20
WEAK_F1 = 0.8  # below it, a class with enough pictures for a reliable F1 wants more of them
MORE_OF_WEAK = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Subject:
    """The input of a report: the supports of one version, their classes, and the rule that answers."""

    version: int
    rule: RuleName
    metric: Metric
    rule_used: RuleName
    supports: Supports
    labels: Sequence[str]
    """(C,), the label of each column"""
    kinds: Sequence[ClassKind]
    """(C,)"""
    index: IndexName = IndexName.FLAT
    recall_at_10: float | None = None


def rows_to_judge(supports: Supports) -> Ids:
    """Return the rows whose leave-fold-out probabilities a report needs: of classes with more than one.

    All of them, or with many supports the first of each class, so that memory stays bounded.
    """
    most = min(EXAMINED_MOST, max(JUDGED_CELLS // max(len(supports.counts), 1), 1))
    able = np.flatnonzero(supports.counts[supports.columns] > 1)
    return able[spread(supports.columns[able], most)]


def make_report(
    subject: Subject, rows: Ids, probabilities: Floats, pictures: Mapping[int, str] | None = None
) -> CollectionReport:
    """Report on supports of which some were judged.

    `probabilities` (len(rows), C) are those of supports without their fold; a row with a NaN was not judged,
    as for the only support of a class. `pictures` are digests by support id, at least of those
    that occur twice.
    """
    supports = subject.supports
    judged = judge(supports, subject.labels, subject.kinds, rows, probabilities)
    classes, macro, weighted = table(judged)
    examined = spread(supports.columns, EXAMINED_MOST)
    same = same_pictures(supports.ids, pictures or {})
    right = int(judged.counts.diagonal().sum())
    total = int(judged.judged.sum())
    return CollectionReport(
        version=subject.version,
        rule=subject.rule,
        metric=subject.metric,
        rule_used=subject.rule_used,
        index=subject.index,
        recall_at_10=subject.recall_at_10,
        supports=int(supports.counts.sum()),
        judged=total,
        examined=len(examined),
        accuracy=round(right / total, DIGITS) if total else None,
        accuracy_interval=_interval(right, total),
        classes=classes,
        macro_avg=macro,
        weighted_avg=weighted,
        confusion=matrix(judged),
        confused_pairs=pairs(judged),
        too_small=_too_small(classes),
        suspects=_suspects(subject, examined),
        mistakes=_mistakes(subject, rows, probabilities),
        duplicates=_listed(
            Listed[Duplicates], [_duplicates(subject, group) for group in same], DUPLICATES_MOST
        ),
        near_duplicates=_near_duplicates(subject, examined, same),
        wanted=_wanted(judged, classes),
        harmful=Listed[Harmful](total=0, items=()),
        learning_curve=None,
        foretold=(),
        error_budget=None,
        notes=_notes(subject, classes, total, len(examined)),
    )


def _interval(right: int, total: int) -> tuple[float, float] | None:
    if not total:
        return None
    low, high = wilson(right, total)
    return round(low, DIGITS), round(high, DIGITS)


def _too_small(classes: Sequence[ClassLine]) -> Listed[SmallClass]:
    small = [line for line in classes if line.judgement is not Judgement.FAIR]
    small.sort(key=lambda line: line.supports)
    return _listed(
        Listed[SmallClass],
        [SmallClass(label=line.label, supports=line.supports, judgement=line.judgement) for line in small],
        SMALL_MOST,
    )


def _suspects(subject: Subject, rows: Ids) -> Listed[Suspect]:
    """List supports nearer to another class than to the rest of their own, worst first.

    Members of negative classes are left out, since such a class is not meant to be coherent.
    """
    normal = np.array([kind is ClassKind.NORMAL for kind in subject.kinds], np.bool_)
    supports = subject.supports
    found = margins(supports, rows)
    odd = np.flatnonzero((found.values < 0) & normal[supports.columns[found.rows]])
    odd = odd[np.argsort(found.values[odd], kind="stable")]
    items = [
        Suspect(
            support_id=int(supports.ids[found.rows[place]]),
            label=subject.labels[supports.columns[found.rows[place]]],
            looks_like=subject.labels[found.rivals[place]],
            margin=round(float(found.values[place]), DIGITS),
        )
        for place in odd[:SUSPECTS_MOST].tolist()
    ]
    return Listed[Suspect](total=len(odd), items=tuple(items))


def _mistakes(subject: Subject, rows: Ids, probabilities: Floats) -> Listed[Mistake]:
    """List supports that were predicted as another class, as the matrix counts them."""
    judged, own, named = predictions(subject.supports, rows, probabilities)
    wrong = np.flatnonzero(named != own)
    items = [
        Mistake(
            support_id=int(subject.supports.ids[judged[place]]),
            label=subject.labels[own[place]],
            named=subject.labels[named[place]],
        )
        for place in wrong[:MISTAKES_MOST].tolist()
    ]
    return Listed[Mistake](total=len(wrong), items=tuple(items))


def _near_duplicates(subject: Subject, rows: Ids, same: Sequence[Ids]) -> Listed[Duplicates]:
    """List near duplicates; of exact duplicates only the first is considered."""
    again = np.concatenate([group[1:] for group in same]) if same else np.empty(0, np.int64)
    rows = rows[~np.isin(rows, again)]
    groups = near_pictures(subject.supports.vectors[rows])
    return _listed(
        Listed[Duplicates], [_duplicates(subject, rows[group]) for group in groups], DUPLICATES_MOST
    )


def _duplicates(subject: Subject, rows: Ids) -> Duplicates:
    supports = subject.supports
    rows = rows[np.argsort(supports.ids[rows])]
    columns = supports.columns[rows].tolist()
    return Duplicates(
        support_ids=tuple(supports.ids[rows].tolist()),
        labels=tuple(subject.labels[column] for column in columns),
        conflict=len(set(columns)) > 1,
    )


def _wanted(judged: Judged, classes: Sequence[ClassLine]) -> Listed[Wanted]:
    """List the classes to photograph next: those with the fewest pictures first, of these the weakest.

    Fewest first did better than any measure of uncertainty; classes with enough pictures are ordered by F1.
    """

    def rank(place: int) -> tuple[int, float]:
        line = classes[place]
        return min(line.supports, FAIR), line.f1 or 0.0

    wanting = [
        place
        for place, line in enumerate(classes)
        if line.kind is ClassKind.NORMAL and (line.supports < FAIR or (line.f1 or 0.0) < WEAK_F1)
    ]
    wanting.sort(key=rank)
    items = [
        Wanted(
            label=classes[place].label,
            more=max(FAIR - classes[place].supports, 0) or MORE_OF_WEAK,
            reason=_reason(judged, classes[place], place),
        )
        for place in wanting[:WANTED_MOST]
    ]
    return Listed[Wanted](total=len(wanting), items=tuple(items))


def _reason(judged: Judged, line: ClassLine, place: int) -> str:
    parts = []
    if line.supports < FAIR:
        parts.append(
            f"{line.supports} picture{'s' * (line.supports != 1)} so far; {FAIR} make this figure reliable"
        )
    if line.f1 is not None and line.f1 < WEAK_F1:
        parts.append(f"F1 {line.f1:.2f}")
        taken = judged.counts[[place]].toarray().ravel()
        taken[place] = 0
        if taken.any():
            parts.append(f"mostly confused with {judged.labels[int(taken.argmax())]}")
    return ", ".join(parts)


def _notes(subject: Subject, classes: Sequence[ClassLine], judged: int, examined: int) -> tuple[str, ...]:
    supports = subject.supports
    n, alone = int(supports.counts.sum()), int((supports.counts == 1).sum())
    notes = []
    if n == 0:
        return ("Nothing is enrolled yet.",)
    if alone:
        notes.append(f"{alone} of {len(classes)} classes have one picture, which cannot be judged.")
    if judged and (supports.counts > 0).sum() == 1:
        notes.append("Only one class has pictures, so there is nothing to confuse it with.")
    if judged < n - alone:
        notes.append(f"Of {n} supports {judged} were judged, the first of each class, to limit memory.")
    if examined < n:
        notes.append(
            f"Of {n} supports {examined} were checked for wrong labels and near duplicates, "
            "the first of each class."
        )
    return tuple(notes)


def _listed(kind: type[Listed[T]], found: Sequence[T], most: int) -> Listed[T]:
    return kind(total=len(found), items=tuple(found[:most]))
