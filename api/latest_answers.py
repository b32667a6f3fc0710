"""The live answers of each collection in the last day, for metrics and their alerts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from core.drift import distance, estimated_accuracy
from core.live_answers import LiveCounts
from store.record.live_answers import HOUR_S
from store.store import Store

MOST_COLLECTIONS = 100  # those with most answers
DAY_S = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class Latest:
    """The values of one collection by metric."""

    collection: str
    values: Mapping[str, float | None]


def latest_answers(store: Store) -> list[Latest]:
    """Return the values of the collections that answered most in the last 24 hours."""
    now = time.time()
    counts = store.live_answers.by_collection(now - DAY_S, now + HOUR_S)
    most = sorted(counts.items(), key=lambda one: -one[1].answers)[:MOST_COLLECTIONS]
    collections = [(id_, store.collections.current(id_)) for id_, _ in most]
    return [
        Latest(
            found.name,
            {
                **_values(counts[id_], store.classes.counts(id_)),
                "novel_share_expected": found.rule.false_reject,
            },
        )
        for id_, found in collections
        if found is not None
    ]


def _values(counts: LiveCounts, enrolled: Mapping[str, int]) -> dict[str, float | None]:
    return {
        "of_a_day": counts.answers,
        "unknown_share": counts.unknown_share,
        "novel_share": counts.novel_share,
        "estimated_accuracy": estimated_accuracy(counts.confidences),
        "label_distance": distance(counts.labels, enrolled),
    }
