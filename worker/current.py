"""The current collection of a chunk and its up-to-date replica."""

from __future__ import annotations

from core.collections import Collection
from core.jobs import Chunk
from core.where import Where
from encoders import Encoder
from index.replica import Replica
from index.replicas import AnyReplica
from store.record.collections import collection_gone
from worker.tools import Tools


def current_replica(tools: Tools, encoder: Encoder, chunk: Chunk) -> tuple[AnyReplica, Collection]:
    """Return the replica with every change committed so far, or of the version that a chunk asks for.

    Where the chunk's job has a filter, it is that of the supports that match. Raises `collection_not_found`,
    `encoder_changed` if the collection no longer answers with the chunk's encoder, and `version_gone`.
    """
    if chunk.collection_id is None:
        raise collection_gone()
    collection = tools.store.collections.current(chunk.collection_id)
    if collection is None:
        raise collection_gone()
    if chunk.where is not None:
        return _filtered(tools, encoder, chunk, chunk.where), collection
    replica = tools.replicas.current(
        chunk.collection_id,
        encoder.dim,
        collection.index,
        encoder=chunk.encoder or None,
        identity=encoder.identity,
    )
    if replica is None:
        raise collection_gone()
    measure = tools.replicas.new_measure(collection.id)
    if measure is not None:
        tools.store.collections.note_measure(collection.id, measure)
    version = chunk.options.get("version")
    if version is None:
        return replica, collection
    return tools.past.at(tools.store.history, replica, collection, version)


def _filtered(tools: Tools, encoder: Encoder, chunk: Chunk, where: Where) -> Replica:
    found = tools.filtered.current(
        chunk.collection_id or 0, encoder.dim, where, encoder=chunk.encoder or None
    )
    if found is None:
        raise collection_gone()
    return found
