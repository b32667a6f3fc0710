"""Comparison of two encoders over the supports of a collection that both have embedded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from core.changes import Changes
from core.collections import Collection, Rule, Views
from core.comparison import ChangedAnswer, Comparison, LabelComparison
from core.errors import ExemplarError
from core.report import CollectionReport, Listed
from index.label_report import label_report
from index.replica import Replica
from index.report import make_report
from store.record.collections import collection_gone
from store.store import Store
from worker.report import judge

CHANGED_MOST = 1_000
DIGITS = 6
NAMES_LEFT_OUT = "this comparison ignores prompts (class names)"
PARTS_LEFT_OUT = "this comparison judges supports, which are whole pictures: it says nothing of tiles"


@dataclass(frozen=True, slots=True)
class _Named:
    """The predicted class of a support, judged by the others."""

    label: str
    named: str
    probability: float


def compare_encoders(store: Store, collection_id: int) -> Comparison:
    """Compare the two encoders of a collection at one version; raises `reindex_not_found`."""
    collection = _collection(store, collection_id)
    encoder, changes, other, other_changes = _both(store, collection_id)
    pictures = store.supports.repeated_pictures(collection_id)
    report, named = _judge(changes, collection.rule, pictures)
    other_report, other_named = _judge(other_changes, collection.rule, pictures)
    pairs = [(id_, one, other_named[id_]) for id_, one in named.items() if id_ in other_named]
    changed = [(id_, now, then) for id_, now, then in pairs if now.named != then.named]
    return Comparison(
        version=changes.version,
        encoder=encoder,
        other=other,
        compared=len(changes.supports),
        report=report,
        other_report=other_report,
        changed=Listed(
            total=len(changed),
            items=tuple(
                ChangedAnswer(
                    support_id=id_,
                    **asdict(now),
                    other_named=then.named,
                    other_probability=then.probability,
                )
                for id_, now, then in changed[:CHANGED_MOST]
            ),
        ),
        corrected=sum(then.named == then.label for _, _, then in changed),
        broken=sum(now.named == now.label for _, now, _ in changed),
        notes=() if collection.prompts is None else (NAMES_LEFT_OUT,),
    )


def compare_label_encoders(store: Store, collection_id: int) -> LabelComparison:
    """Compare the two encoders of a collection of several labels a picture; raises `reindex_not_found`."""
    collection = _collection(store, collection_id)
    encoder, changes, other, other_changes = _both(store, collection_id)
    return LabelComparison(
        version=changes.version,
        encoder=encoder,
        other=other,
        compared=len(changes.supports),
        report=label_report(_replica(changes), collection.rule),
        other_report=label_report(_replica(other_changes), collection.rule),
        notes=(PARTS_LEFT_OUT,) if collection.views is Views.TILES else (),
    )


def _collection(store: Store, collection_id: int) -> Collection:
    collection = store.collections.current(collection_id)
    if collection is None:
        raise collection_gone()
    return collection


def _both(store: Store, collection_id: int) -> tuple[str, Changes, str, Changes]:
    """Return both encoders of a collection, each with its vectors of the supports that have both."""
    found = store.reindexes.both(collection_id)
    if found is None:
        raise ExemplarError("reindex_not_found", "the collection has vectors of one encoder only")
    if not found[1].supports:
        raise ExemplarError("reindex_unready", "no support has vectors of both encoders yet", retry=False)
    return found


def _replica(changes: Changes) -> Replica:
    vectors = [support.vector for support in changes.supports if support.vector is not None]
    replica = Replica(len(vectors[0]))
    replica.apply(changes)
    return replica


def _judge(
    changes: Changes, rule: Rule, pictures: Mapping[int, str]
) -> tuple[CollectionReport, dict[int, _Named]]:
    """Report on one encoder's vectors, and return the predicted class of each judged support."""
    replica = _replica(changes)
    with replica.lock:
        judged = judge(replica, rule, None)
        subject, supports = judged.subject, judged.subject.supports
        named = {
            int(supports.ids[row]): _Named(
                subject.labels[supports.columns[row]],
                subject.labels[best],
                round(float(line[best]), DIGITS),
            )
            for row, line in zip(judged.rows, judged.probabilities, strict=True)
            if np.isfinite(line).all()
            for best in (int(line.argmax()),)
        }
        return make_report(subject, judged.rows, judged.probabilities, pictures), named
