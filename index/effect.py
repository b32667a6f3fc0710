"""The effect of an enrolment on the answers about the supports, before anything is enrolled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind, Rule
from core.report import AddedSuspect, Effect, Listed
from core.vectors import Vectors
from index.calibration import sample
from index.learning import Fitted
from index.quality import margins
from index.replica import Replica
from index.snapshot import restore
from index.supports import Ids, Mask, Supports, are_normal

DIGITS = 6
SUSPECTS_MOST = 200


@dataclass(frozen=True, slots=True)
class Added:
    """Pictures that might be enrolled, each with a number that the caller knows it by."""

    ids: Sequence[int]
    labels: Sequence[str]
    vectors: Vectors
    """(n, d)"""


def effect_of(replica: Replica, rule: Rule, given: Added) -> Effect:
    """Judge supports by the others, each left out, without and with the pictures that might be added.

    The supports are those that are there, if their class has two; the standard error is that of the paired
    difference. The names of classes tell nothing here.
    """
    with replica.lock:
        before = replica.fit(rule)
        supports = before.fit.supports
        rows = sample(supports, before.fit.most_judged)
        rows = rows[supports.counts[supports.columns[rows]] > 1]
        judged_ids = supports.ids[rows].copy()
        was_right = _right(before, rows)
        version = replica.version
        together, new = _with(replica, given.vectors, given.labels)
    after = together.fit(rule)
    held = after.fit.supports
    order = np.argsort(held.ids, kind="stable")
    now_rows = order[np.searchsorted(held.ids, judged_ids, sorter=order)]
    is_right = _right(after, now_rows)
    added = order[np.searchsorted(held.ids, new, sorter=order)]
    suspects = _suspects(together, held, added, given)
    added = added[held.counts[held.columns[added]] > 1]
    change = is_right.astype(np.float64) - was_right
    n = len(rows)
    return Effect(
        version=version,
        added=len(new),
        judged=n,
        before=round(float(was_right.mean()), DIGITS) if n else None,
        after=round(float(is_right.mean()), DIGITS) if n else None,
        change=round(float(change.mean()), DIGITS) if n else None,
        standard_error=round(float(change.std(ddof=1)) / math.sqrt(n), DIGITS) if n > 1 else None,
        became_right=int((change > 0).sum()),
        became_wrong=int((change < 0).sum()),
        added_judged=len(added),
        added_accuracy=round(float(_right(after, added).mean()), DIGITS) if len(added) else None,
        suspects=suspects,
    )


def _suspects(together: Replica, held: Supports, added: Ids, given: Added) -> Listed[AddedSuspect]:
    """List the added ones that are nearer to another class, as the report does; none of negative classes."""
    classes = [together.classes[class_id] for class_id in held.class_ids.tolist()]
    normal = are_normal(held.class_ids, together.classes)
    place_of = {row: place for place, row in enumerate(added.tolist())}
    found = margins(held, added)
    odd = np.flatnonzero((found.values < 0) & normal[held.columns[found.rows]])
    odd = odd[np.argsort(found.values[odd], kind="stable")]
    items = [
        AddedSuspect(
            id=given.ids[place_of[int(found.rows[place])]],
            label=classes[held.columns[found.rows[place]]].label,
            looks_like=classes[found.rivals[place]].label,
            margin=round(float(found.values[place]), DIGITS),
        )
        for place in odd[:SUSPECTS_MOST].tolist()
    ]
    return Listed[AddedSuspect](total=len(odd), items=tuple(items))


def _right(fitted: Fitted, rows: Ids) -> Mask:
    """Return whether each of some supports is answered rightly by the others."""
    supports = fitted.fit.supports
    if not len(rows):
        return np.empty(0, np.bool_)
    groups = np.full(len(supports.ids), -1)
    groups[rows] = np.arange(len(rows))
    right: Mask = fitted.fit.held_out(groups, rows).argmax(axis=1) == supports.columns[rows]
    return right


def _with(replica: Replica, vectors: Vectors, labels: Sequence[str]) -> tuple[Replica, Ids]:
    """Return a copy of a replica with these supports, and their ids; unknown labels become classes."""
    together = restore(replica.content())
    ids = {one.label: class_id for class_id, one in replica.classes.items() if one.kind is not ClassKind.SET}
    next_class = max(replica.classes, default=0) + 1
    made = []
    for label in labels:
        if label not in ids:
            ids[label] = next_class
            made.append(ClassChange(next_class, label, ClassKind.NORMAL))
            next_class += 1
    first = int(replica.ids.max(initial=0)) + 1
    changes = [
        SupportChange(first + place, ids[label], vector)
        for place, (label, vector) in enumerate(zip(labels, vectors, strict=True))
    ]
    together.apply(Changes(replica.version + 1, made, changes, replica.epoch))
    return together, np.arange(first, first + len(changes))
