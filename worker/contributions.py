"""The effect of contributions: leave-one-out accuracy with and without them, on a copy of the replica."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.changes import Changes, ClassChange, SupportChange
from core.effect import Accuracy, ContributionsEffect, Disagreement
from core.errors import ExemplarError
from core.label_sets import unsupported
from core.types import Chunk, ClassKind, Labels, QuarantineState, Rule
from core.vectors import Vector
from encoders import Encoder
from index.replica import Replica
from store.record.contributions import Which
from worker.current import current_replica
from worker.report import judge
from worker.tools import Tools

DISAGREE_MOST = 1_000
DIGITS = 6
OPTION = "effect_of"


def effect(tools: Tools, encoder: Encoder, chunk: Chunk) -> ContributionsEffect:
    """Judge a collection with and without the contributions that a chunk names."""
    replica, collection = current_replica(tools, encoder, chunk)
    if collection.labels is Labels.MANY:
        raise unsupported("effect", "accept contributions by what you see")
    which = _which(chunk.options[OPTION])
    given = tools.store.quarantine.vectors(collection.id, which, encoder.spec)
    if not isinstance(replica, Replica):
        raise ExemplarError("index_unsupported", "expected an index in memory to judge contributions")
    return effect_of(replica, collection.rule, given)


def effect_of(replica: Replica, rule: Rule, given: Sequence[tuple[int, str, Vector]]) -> ContributionsEffect:
    """Judge a replica with and without contributions, given as id, label and vector."""
    content = replica.content()
    here = [
        SupportChange(int(id_), int(class_id), vector)
        for id_, class_id, vector in zip(content.ids, content.class_ids, content.vectors, strict=True)
    ]
    first = int(content.ids.max(initial=0)) + 1
    classes, ids = _classes(content.classes, [label for _, label, _ in given])
    added = [SupportChange(first + n, ids[label], vector) for n, (_, label, vector) in enumerate(given)]
    now = _judged(replica.dim, Changes(content.version, classes, here), rule)
    then = _judged(replica.dim, Changes(content.version, classes, [*here, *added]), rule)
    disagree = [
        Disagreement(id=id_, label=label, named=then[first + n][1])
        for n, (id_, label, _) in enumerate(given)
        if first + n in then and then[first + n][1] != label
    ]
    return ContributionsEffect(
        version=content.version,
        contributions=len(given),
        now=_accuracy(now),
        accepted=_accuracy({id_: pair for id_, pair in then.items() if id_ < first}),
        everything=_accuracy(then),
        disagree=tuple(disagree[:DISAGREE_MOST]),
    )


def _which(options: Mapping[str, Any]) -> Which:
    ids = options.get("ids")
    return Which(
        None if ids is None else tuple(ids),
        options.get("key"),
        options.get("label"),
        QuarantineState.WAITING,
    )


def _classes(there: Sequence[ClassChange], labels: Sequence[str]) -> tuple[list[ClassChange], dict[str, int]]:
    """Return the classes with those that contributions would create, and their ids by label."""
    ids = {class_.label: class_.id for class_ in there}
    free = max(ids.values(), default=0) + 1
    new = [label for label in dict.fromkeys(labels) if label not in ids]
    ids |= {label: free + n for n, label in enumerate(new)}
    return [*there, *(ClassChange(ids[label], label, ClassKind.NORMAL) for label in new)], ids


def _judged(dim: int, changes: Changes, rule: Rule) -> dict[int, tuple[str, str]]:
    """Return label and predicted label of each support that the others could judge."""
    replica = Replica(dim)
    replica.apply(changes)
    if not len(replica):
        return {}
    with replica.lock:
        found = judge(replica, rule, None)
        supports, labels = found.subject.supports, found.subject.labels
        return {
            int(supports.ids[row]): (labels[supports.columns[row]], labels[int(line.argmax())])
            for row, line in zip(found.rows, found.probabilities, strict=True)
            if np.isfinite(line).all()
        }


def _accuracy(judged: Mapping[int, tuple[str, str]]) -> Accuracy:
    right = sum(label == named for label, named in judged.values())
    return Accuracy(judged=len(judged), accuracy=round(right / len(judged), DIGITS) if judged else None)
