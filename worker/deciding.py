"""Deciding: the answers of a collection for vectors, by the rule for its number of labels a picture."""

from __future__ import annotations

from collections.abc import Sequence

from core.answers import Answer, ManyAnswer
from core.types import Collection, Labels
from core.vectors import Vectors
from encoders import Encoder
from index.decide import classify
from index.decide_many import classify_many
from index.replicas import AnyReplica
from worker.tools import Tools


def decide(
    tools: Tools, encoder: Encoder, replica: AnyReplica, collection: Collection, queries: Vectors, *, top: int
) -> Sequence[Answer | ManyAnswer]:
    """Answer m queries (m, d), each with its `top` candidates and neighbours.

    Raises errors to be retried later, such as `labels_unread`.
    """
    if collection.labels is Labels.MANY:
        return classify_many(replica, collection.rule, queries, top=top)
    texts = tools.texts.texts_of(tools.store.texts, encoder, collection, replica)
    return classify(replica, collection.rule, queries, top=top, texts=texts)
