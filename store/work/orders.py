"""Results of a job in other orders than that of its items, page by page while people review them."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from operator import itemgetter
from sys import intern
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from pydantic_core import from_json
from sqlalchemy import Connection, Row, Text, cast, func, select

from core.answer_order import Key, Order, contradicted_key, sort_key
from core.errors import ExemplarError
from core.jobs import FINAL, ChunkState, Job
from core.labels import unpack_labels
from core.results import Result, has_several, label_text
from core.twins import contradicted
from store import tables as t
from store.database import Database
from store.work.item_vectors import sketches_of
from store.work.kinds import KINDS
from store.work.reviewed import with_reviews
from store.work.rows import require_job
from store.work.versions import as_of, check_version

MOST_KEPT = 300_000  # entries in memory
CHUNKS_AT_ONCE = 50  # read from the record at a time
REVIEWS_AT_ONCE = 1000

_POSITION = re.compile(r"o(\d{1,10})r([01])i(\d{1,10})")


class Entry(NamedTuple):
    """What is filtered and sorted of a result, and its place among the results of its chunk."""

    item: int
    chunk: int
    place: int
    custom_id: str | None
    status: str
    decision: str | None
    label: str | None
    """The labels as one text."""
    several: bool
    confidence: float | None
    automatic: bool | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended.

    `calls` is the number of review calls at the time of the first page: what later ones review keeps the
    place that it had then.
    """

    calls: int
    among_reviewed: bool
    item: int

    @classmethod
    def read(cls, text: str) -> Position:
        """Return the position that a cursor holds; raises `cursor_invalid`."""
        match = _POSITION.fullmatch(text)
        if match is None:
            raise ExemplarError("cursor_invalid", "expected a cursor of an earlier page in this order")
        return cls(int(match[1]), match[2] == "1", int(match[3]))

    def __str__(self) -> str:
        return f"o{self.calls}r{int(self.among_reviewed)}i{self.item}"


@dataclass(frozen=True, slots=True)
class OrderedPage:
    """Results in an order, and the position after which the next page starts; None after the last."""

    results: Sequence[Result]
    position: Position | None


_Kept = tuple[str, int | None, float | None, int, int]


class Orders:
    """The orders of jobs' results.

    What is sorted is kept in memory once a job has ended; until then it is read again for each page.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[_Kept, Mapping[Order, list[Entry]]] = OrderedDict()
        self._lock = Lock()

    def page(
        self,
        job_id: str,
        order: Order,
        fits: Callable[[Result], bool],
        *,
        after: Position | None,
        limit: int,
        version: int | None = None,
    ) -> OrderedPage:
        """Return the next settled results that fit, as of a version or the newest.

        In the order of value, reviewed ones come last. Raises `job_not_found` or `version_not_found`.
        """
        with self._database.read() as connection:
            job = require_job(connection, job_id)
            if version is not None:
                check_version(connection, job_id, version)
            entries = self._entries(connection, job, version)[order]
            calls = connection.execute(select(t.job.c.review_calls).where(t.job.c.id == job_id)).scalar_one()
            after = Position(calls, False, -1) if after is None else after
            reviews: ReviewsOf = partial(_reviews, connection, job) if calls else lambda _: {}
            walk = _walk(entries, reviews, after, reviewed_last=order is Order.VALUE)
            fitting = (
                (among_reviewed, entry)
                for among_reviewed, entry, review in walk
                if fits(_light(entry, review, decides=KINDS[job.kind].decides))
            )
            found = list(islice(fitting, limit + 1))
            results = _read(connection, job, [entry for _, entry in found[:limit]], version)
        if len(found) <= limit:
            return OrderedPage(results, None)
        among_reviewed, last = found[limit - 1]
        return OrderedPage(results, Position(after.calls, among_reviewed, last.item))

    def _entries(self, connection: Connection, job: Job, version: int | None) -> Mapping[Order, list[Entry]]:
        if job.state not in FINAL:
            return _load(connection, job.id, version)
        replaced = select(func.count()).where(t.past_results.c.job_id == job.id)
        # a retry ends later, and an erasure makes items fail
        key = (job.id, version, job.finished_at, job.failed, connection.execute(replaced).scalar_one())
        with self._lock:
            if key not in self._kept:
                self._kept[key] = _load(connection, job.id, version)
            self._kept.move_to_end(key)
            entries = self._kept[key]
            while len(self._kept) > 1 and self._size() > MOST_KEPT:
                self._kept.popitem(last=False)
        return entries

    def _size(self) -> int:
        return sum(len(orders[Order.ITEM]) for orders in self._kept.values())


def _load(connection: Connection, job_id: str, version: int | None) -> Mapping[Order, list[Entry]]:
    """Read all settled results and return what is kept of them, in each order."""
    chunk = t.chunk.c
    statement = (
        select(chunk.id, cast(chunk.results, Text).label("packed"))
        .where(chunk.job_id == job_id, chunk.state == ChunkState.SETTLED)
        .order_by(chunk.first_item)
        .execution_options(yield_per=CHUNKS_AT_ONCE)
    )
    entries: list[Entry] = []
    keys: dict[Order, list[Key]] = {order: [] for order in Order if order is not Order.ITEM}
    for row in connection.execute(statement):
        results = as_of(connection, job_id, version, from_json(row.packed))  # twice as fast as json
        for place, result in enumerate(results):
            entries.append(_entry(row.id, place, result))
            for order, sorted_by in keys.items():
                sorted_by.append(sort_key(order, result))
    for place in _contradicted(connection, job_id, entries):
        keys[Order.VALUE][place] = contradicted_key(entries[place].decision or "")
    orders = {order: _sorted(entries, sorted_by) for order, sorted_by in keys.items()}
    return {Order.ITEM: entries, **orders}


def _contradicted(connection: Connection, job_id: str, entries: Sequence[Entry]) -> list[int]:
    """Return the places of answers that differ from the answer for a near twin of the picture."""
    found = sketches_of(connection, job_id)
    places = [n for n, entry in enumerate(entries) if entry.decision is not None and entry.item in found]
    if len(places) < 2:
        return []
    vectors = np.stack([found[entries[n].item] for n in places])
    differs = contradicted(vectors, [entries[n].label for n in places])
    return [n for n, other in zip(places, differs.tolist(), strict=True) if other]


def _sorted(entries: Sequence[Entry], keys: Sequence[Key]) -> list[Entry]:
    return [entries[place] for place in sorted(range(len(entries)), key=keys.__getitem__)]


def _entry(chunk_id: int, place: int, result: Result) -> Entry:
    label = label_text(result)
    return Entry(
        result["item"],
        chunk_id,
        place,
        result.get("custom_id"),
        intern(result["status"]),
        intern(result["decision"]) if "decision" in result else None,
        None if label is None else intern(label),
        has_several(result),
        result.get("confidence"),
        result.get("automatic"),
    )


ReviewsOf = Callable[[Sequence[int]], Mapping[int, Row[Any]]]
"""Returns the reviews of some items."""


def _walk(
    entries: Sequence[Entry], reviews_of: ReviewsOf, after: Position, *, reviewed_last: bool
) -> Iterator[tuple[bool, Entry, Row[Any] | None]]:
    """Yield what comes after a position: whether it is among the reviewed ones, and its review."""
    for among_reviewed in (False, True) if reviewed_last else (False,):
        if among_reviewed < after.among_reviewed:
            continue
        start = 0
        if among_reviewed is after.among_reviewed and after.item >= 0:
            start = 1 + next((n for n, entry in enumerate(entries) if entry.item == after.item), len(entries))
        for first in range(start, len(entries), REVIEWS_AT_ONCE):
            block = entries[first : first + REVIEWS_AT_ONCE]
            reviews = reviews_of([entry.item for entry in block])
            for entry in block:
                review = reviews.get(entry.item)
                was_reviewed = review is not None and review.call <= after.calls
                if not reviewed_last or was_reviewed is among_reviewed:
                    yield among_reviewed, entry, review


def _reviews(connection: Connection, job: Job, items: Sequence[int]) -> Mapping[int, Row[Any]]:
    review = t.review.c
    which = (review.job_id == job.id) & review.item.in_(items)
    rows: Iterable[Any] = connection.execute(select(review.item, review.label, review.call).where(which))
    return {row.item: row for row in rows}


def _light(entry: Entry, review: Row[Any] | None, *, decides: bool) -> Result:
    """Return the fields of a result that a selection looks at."""
    result: dict[str, Any] = entry._asdict()
    if decides and entry.decision is not None:
        result["reviewed"] = review is not None
        text = entry.label if review is None else review.label
        result |= {"final_labels": list(unpack_labels(text))} if entry.several else {"final_label": text}
    return result


def _read(connection: Connection, job: Job, entries: Sequence[Entry], version: int | None) -> list[Result]:
    """Return the results of entries, in their order."""
    stored = t.chunk.c.results
    found: list[Result] = [  # picked in the database, which is ten times faster than to parse all of a chunk
        connection.execute(select(stored[entry.place]).where(t.chunk.c.id == entry.chunk)).scalar_one()
        for entry in entries
    ]
    found = [as_of(connection, job.id, version, [one])[0] for one in sorted(found, key=itemgetter("item"))]
    by_item = {result["item"]: result for result in with_reviews(connection, job, found)}
    return [by_item[entry.item] for entry in entries]
