"""Versions of a job's answers: the first as they were given, and one more for each redecision."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from core.errors import ExemplarError
from core.jobs import Chunk
from core.results import Result, Tally, tally_of
from store import tables as t
from store.clock import now_s
from store.work.rows import overlaps

FIRST = 1


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a job's answers; `index_version` is the collection's when they were requested."""

    number: int
    index_version: int
    decided_at: float | None
    """When the first of its answers was written, or when the job ended; None if it has not."""


def versions_of(connection: Connection, job: Row[Any]) -> list[Version]:
    """Return the versions of the answers of a job, given its row, oldest first."""
    later = t.answer_version.c
    rows = connection.execute(
        select(later.version, later.index_version, later.decided_at)
        .where(later.job_id == job.id)
        .order_by(later.version)
    )
    return [Version(FIRST, job.submitted_version, job.finished_at), *(Version(*row) for row in rows)]


def check_version(connection: Connection, job_id: str, version: int) -> None:
    """Raise `version_not_found` unless a job's answers have this version."""
    newest = newest_version(connection, job_id)
    if not FIRST <= version <= newest:
        raise ExemplarError(
            "version_not_found", f"expected a version from {FIRST} to {newest} of this job, got {version}"
        )


def newest_version(connection: Connection, job_id: str) -> int:
    """Return the number of the newest version of a job's answers."""
    newest = select(func.max(t.answer_version.c.version)).where(t.answer_version.c.job_id == job_id)
    return int(connection.execute(newest).scalar() or FIRST)


def version_to_write(connection: Connection, chunk: Chunk) -> int | None:
    """Return the version that a redecide job writes, begun if need be; None if a later one has begun.

    The job that it is about must be locked.
    """
    of_job = t.answer_version.c.job_id == chunk.target
    mine = connection.execute(
        select(t.answer_version.c.version).where(of_job, t.answer_version.c.redecide_id == chunk.job_id)
    ).scalar()
    newest = newest_version(connection, chunk.target)
    if mine is not None:
        return newest if mine == newest else None
    connection.execute(
        insert(t.answer_version).values(
            job_id=chunk.target,
            version=newest + 1,
            redecide_id=chunk.job_id,
            index_version=chunk.options.get("version", chunk.submitted_version),
            decided_at=now_s(),
        )
    )
    return newest + 1


def keep_past(
    connection: Connection, chunk: Chunk, version: int, past: Sequence[Result], after: Sequence[Result]
) -> None:
    """Keep the results that a chunk of a redecide job replaces by those `after`."""
    connection.execute(
        insert(t.past_results).values(
            chunk_id=chunk.id,
            job_id=chunk.target,
            version=version,
            first_item=chunk.items[0].index,
            size=len(chunk.items),
            counts=_difference(tally_of(past), tally_of(after)),
            results=zlib.compress(json.dumps(list(past), separators=(",", ":")).encode()),
        )
    )


def as_of(
    connection: Connection, job_id: str, version: int | None, results: Sequence[Result]
) -> list[Result]:
    """Return consecutive results of a job as they were in a version; None is the newest."""
    if version is None or not results:
        return list(results)
    past = past_between(connection, job_id, version, results[0]["item"], results[-1]["item"] + 1)
    return [past.get(result["item"], result) for result in results]


def past_between(
    connection: Connection, job_id: str, version: int, first: int, end: int
) -> Mapping[int, Result]:
    """Return the results of a version that later ones replaced, of the items from `first` up to `end`."""
    past = t.past_results
    rows = (
        select(past.c.results)
        .where(overlaps(past, job_id, first, end), past.c.version > version)
        .order_by(past.c.version.desc())  # the first that replaced one counts
    )
    packed = connection.execute(rows).scalars()
    return {result["item"]: result for each in packed for result in json.loads(zlib.decompress(each))}


def past_counts(connection: Connection, job_id: str, version: int) -> list[Tally]:
    """Return what must be added to the counts of a job's results to have those of a version."""
    past = t.past_results.c
    counts = select(past.counts).where(past.job_id == job_id, past.version > version)
    return list(connection.execute(counts).scalars())


def _difference(before: Tally, after: Tally) -> Tally:
    found = {}
    for name in before.keys() | after.keys():
        counts = Counter(before.get(name, {}))
        counts.subtract(after.get(name, {}))
        found[name] = {value: count for value, count in counts.items() if count}
    return found
