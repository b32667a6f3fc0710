"""The counts of a collection's live answers by hour and caller, and what reviews say of such answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, insert, select

from core.actor import LOCAL
from core.drift import Reviewed
from core.labels import unpack_labels
from core.live_answers import LiveCounts, counts_of
from core.results import Result
from store import tables as t
from store.database import Database

HOUR_S = 3600
MOST_SUMMED = 1000  # rows summed in one transaction

Hour = tuple[int, int, str]
"""A collection, an hour since 1970, and a caller."""


@dataclass(frozen=True, slots=True)
class LiveHour:
    """The counts of one hour; `caller` is the id of a key, or `local`."""

    hour: int
    caller: str
    counts: LiveCounts


def count_answers(connection: Connection, settled: Sequence[tuple[str, Sequence[Result]]]) -> None:
    """Count the answers among the results of jobs that classify, given with their jobs.

    Each is one row, so that settling waits for no other worker; `LiveAnswers.sum` makes few rows of many.
    """
    hour = int(time.time() // HOUR_S)
    counted = [(job_id, counts_of(results)) for job_id, results in settled]
    rows = [
        {"of": job_id, "now_hour": hour, "counted": counts.pack()}
        for job_id, counts in counted
        if counts.answers
    ]
    if rows:
        connection.execute(_INSERT, rows)


_INSERT = insert(t.settled_answers).from_select(
    ["collection_id", "hour", "caller", "counts"],
    select(
        t.job.c.collection_id,
        bindparam("now_hour", type_=BigInteger),
        func.coalesce(t.job.c.origin["key"].as_string(), LOCAL),
        bindparam("counted", type_=t.settled_answers.c.counts.type),
    ).where(t.job.c.id == bindparam("of"), t.job.c.collection_id.is_not(None)),
)


class LiveAnswers:
    """The counts of live answers in the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sum(self) -> int:
        """Add the counts of settled work to those of their hours; return how many rows there were.

        At most 1,000 in one transaction: call again while it returns as many.
        """
        row = t.settled_answers
        first = select(row).order_by(row.c.id).limit(MOST_SUMMED)
        with self._database.read() as connection:  # most calls end here, without a lock
            if connection.execute(select(row.c.id).limit(1)).first() is None:
                return 0
        with self._database.write() as connection:
            rows = connection.execute(first.with_for_update(skip_locked=True)).all()
            sums: dict[Hour, LiveCounts] = {}
            for one in rows:
                hour = (one.collection_id, one.hour, one.caller)
                sums.setdefault(hour, LiveCounts()).add(LiveCounts.unpack(one.counts))
            for hour in sorted(sums):
                _add(connection, hour, sums[hour])
            connection.execute(delete(row).where(row.c.id.in_([one.id for one in rows])))
        return len(rows)

    def remove_old(self, older_than_s: float) -> int:
        """Delete the counts of hours longer ago than that; return how many."""
        before = int((time.time() - older_than_s) // HOUR_S)
        with self._database.write() as connection:
            return connection.execute(delete(t.live_answers).where(t.live_answers.c.hour < before)).rowcount

    def hours(self, collection_id: int, since_s: float, until_s: float) -> list[LiveHour]:
        """Return the counts of the hours that begin within a time, earliest first, those not summed too."""
        found = self._sums(since_s, until_s, collection_id)
        return [LiveHour(place[1], place[2], found[place]) for place in sorted(found)]

    def by_collection(self, since_s: float, until_s: float) -> dict[int, LiveCounts]:
        """Return the counts of each collection in a time."""
        sums: dict[int, LiveCounts] = {}
        for (collection_id, _, _), counts in self._sums(since_s, until_s).items():
            sums.setdefault(collection_id, LiveCounts()).add(counts)
        return sums

    def _sums(
        self, since_s: float, until_s: float, collection_id: int | None = None
    ) -> dict[Hour, LiveCounts]:
        sums: dict[Hour, LiveCounts] = {}
        with self._database.read() as connection:
            for table in (t.live_answers, t.settled_answers):
                which = [table.c.hour >= since_s / HOUR_S, table.c.hour < until_s / HOUR_S]
                if collection_id is not None:
                    which.append(table.c.collection_id == collection_id)
                for row in connection.execute(select(table).where(*which)):
                    counts = sums.setdefault((row.collection_id, row.hour, row.caller), LiveCounts())
                    counts.add(LiveCounts.unpack(row.counts))
        return sums

    def reviewed(self, collection_id: int, since_s: float, until_s: float) -> list[tuple[float, Reviewed]]:
        """Return the reviewed answers that give a label, each with the time of its review."""
        review = t.review.c
        statement = (
            select(review.answered, review.label, review.confidence, review.reviewed_at)
            .join(t.job, t.job.c.id == review.job_id)
            .where(
                t.job.c.collection_id == collection_id,
                review.confidence.is_not(None),
                review.reviewed_at >= since_s,
                review.reviewed_at < until_s,
            )
        )
        with self._database.read() as connection:
            rows = connection.execute(statement).all()
        return [
            (row.reviewed_at, Reviewed(row.confidence, _share_right(row.answered, row.label))) for row in rows
        ]


def _add(connection: Connection, hour: Hour, counts: LiveCounts) -> None:
    """Add counts to those of an hour."""
    live = t.live_answers
    here = (live.c.collection_id == hour[0], live.c.hour == hour[1], live.c.caller == hour[2])
    found = connection.execute(select(live.c.counts).where(*here).with_for_update()).scalar_one_or_none()
    if found is None:
        names = ("collection_id", "hour", "caller")
        row = {**dict(zip(names, hour, strict=True)), "counts": counts.pack()}
        connection.execute(insert(live).values(row))
        return
    counts.add(LiveCounts.unpack(found))
    connection.execute(live.update().where(*here).values(counts=counts.pack()))


def _share_right(answered: str | None, label: str | None) -> float:
    """Return the share of the labels given that a review leaves."""
    given, right = set(unpack_labels(answered)), set(unpack_labels(label))
    return len(given & right) / len(given) if given else 0.0
