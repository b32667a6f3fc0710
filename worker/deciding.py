"""Deciding: the answers of a collection for vectors, by the rule for its number of labels a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.answers import Answer, ManyAnswer
from core.collections import Collection, Labels
from core.vectors import Crops, Vector, Vectors
from encoders import Encoder
from index.decide import classify
from index.decide_many import classify_many
from index.replicas import AnyReplica
from worker.tools import Tools


@dataclass(frozen=True, slots=True)
class Queries:
    """The vectors of m pictures."""

    wholes: Vectors
    """(m, d)"""
    crops: Crops | None = None
    """(m, c, d), of pictures whose tiles are looked at"""

    @classmethod
    def of(cls, wholes: Sequence[Vector], crops: Sequence[Vectors | None]) -> Queries:
        """Stack the vectors of pictures, of which all have crops or none."""
        there = [some for some in crops if some is not None]
        return cls(np.stack(wholes), np.stack(there) if there else None)


def decide(
    tools: Tools, encoder: Encoder, replica: AnyReplica, collection: Collection, queries: Queries, *, top: int
) -> Sequence[Answer | ManyAnswer]:
    """Answer queries, each with its `top` candidates and neighbours.

    Raises errors to be retried later, such as `labels_unread`.
    """
    if collection.labels is Labels.MANY:
        return classify_many(replica, collection.rule, queries.wholes, top=top, crops=queries.crops)
    texts = tools.texts.texts_of(tools.store.texts, encoder, collection, replica)
    return classify(replica, collection.rule, queries.wholes, top=top, texts=texts)
