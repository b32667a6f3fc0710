"""Groups of items: the results of a group job, as many as there are groups."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, update

from core.results import Result
from core.types import Chunk
from store import tables as t
from store.record.enrolment import Enrolment


def write_groups(
    connection: Connection, chunk: Chunk, outcomes: Sequence[Result | Enrolment]
) -> list[Result]:
    """Return the results of a group job's only chunk, after making room for one for each group."""
    results = [outcome for outcome in outcomes if not isinstance(outcome, Enrolment)]
    connection.execute(update(t.chunk).where(t.chunk.c.id == chunk.id).values(size=len(results)))
    connection.execute(update(t.job).where(t.job.c.id == chunk.job_id).values(total=len(results)))
    return results
