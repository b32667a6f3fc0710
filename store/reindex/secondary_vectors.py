"""Secondary vectors: those of the inactive encoder, written when a chunk is settled."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, literal, select, update

from core.collections import ChangeKind
from core.errors import ExemplarError
from core.jobs import Chunk
from core.results import Result, done_result
from core.vectors import pack_vector
from store import tables as t
from store.record.change_log import Made
from store.record.collections import answering, lock_collection, set_version, vector_column
from store.record.enrolment import Enrolment, all_failed
from store.record.past import keep_supports


def keep_vectors(
    connection: Connection, chunk: Chunk, outcomes: Sequence[Result | Enrolment]
) -> list[Result]:
    """Store another encoder's vectors of supports; return a result for each item.

    If the collection already answers with that encoder, a support that lacked a vector becomes searchable.
    """
    version = None if chunk.collection_id is None else lock_collection(connection, chunk.collection_id)
    if version is None or chunk.collection_id is None:
        return all_failed(outcomes, _gone("the collection was deleted before this picture was embedded"))
    now = answering(connection, chunk.collection_id)
    other = connection.execute(
        select(t.reindex.c.encoder).where(t.reindex.c.collection_id == chunk.collection_id)
    ).scalar_one_or_none()
    if chunk.encoder not in (now.encoder, other):
        return all_failed(outcomes, _gone(f"the collection is no longer to be embedded with {chunk.encoder}"))
    results = []
    for outcome in outcomes:
        if not isinstance(outcome, Enrolment):
            results.append(outcome)
            continue
        answers = chunk.encoder == now.encoder
        kept = _keep(
            connection,
            outcome,
            now.active_slot if answers else 1 - now.active_slot,
            version + 1 if answers else 0,
        )
        version += answers and kept
        results.append(_result(outcome, kept))
    set_version(connection, chunk.collection_id, version, Made(ChangeKind.REINDEXED))
    return results


def _keep(connection: Connection, made: Enrolment, slot: int, seq: int) -> bool:
    """Write a vector into a slot; with a `seq` only into an empty one, which replicas see as a change."""
    column = vector_column(slot)
    which = (t.support.c.id == made.item.support, t.support.c.class_id.is_not(None), column.is_(None))
    if seq:
        keep_supports(connection, and_(*which), literal(seq))
    values = {column.name: pack_vector(made.vector)} | ({"seq": seq} if seq else {})
    return connection.execute(update(t.support).where(*which).values(values)).rowcount == 1


def _result(made: Enrolment, kept: bool) -> Result:
    return done_result(made.item, {"support_id": made.item.support, "kept": kept})


def _gone(why: str) -> ExemplarError:
    return ExemplarError("reindex_gone", why)
