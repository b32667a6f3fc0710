"""What an erasure takes out of the items, results, vectors and reviews of jobs, chunk by chunk."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, delete, or_, select, update

from core.jobs import ChunkState, JobKind, is_web_url
from core.results import Result, tally_of
from store import tables as t
from store.erasure.items import Cleaned, clean, clean_result
from store.erasure.targets import ITEM, KEPT, PICTURE, Targets, add_targets, in_scope
from store.work.kinds import KINDS
from store.work.leases import RELEASED
from store.work.locks import lock_job
from store.work.requeue import requeue_unclaimed
from store.work.rows import overlaps
from store.work.states import FINAL_CHUNK

REPORTS = frozenset({JobKind.REPORT, JobKind.COMPARE, JobKind.EFFECT})
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SUPPORT = re.compile(r'"support(?:_id)?": (\d+)')
_NUMBER = re.compile(r"\d+")


def slice_of(
    connection: Connection, after: int, names: Sequence[str] | None, limit: int
) -> Sequence[Row[Any]]:
    """Return the next chunks in the order of their ids, with inputs and results as text."""
    chunk = t.chunk.c
    return connection.execute(
        select(
            chunk.id,
            chunk.job_id,
            chunk.state,
            chunk.attempts,
            t.job.c.kind,
            t.job.c.target,
            cast(chunk.inputs, Text).label("inputs"),
            cast(chunk.results, Text).label("results"),
        )
        .join(t.job, t.job.c.id == chunk.job_id)
        .where(chunk.id > after, in_scope(names))
        .order_by(chunk.id)
        .limit(limit)
    ).all()


def concerns(row: Row[Any], targets: Targets) -> bool:
    """Return whether a chunk of a slice may hold anything that is to be erased."""
    texts = row.inputs + (row.results or "")
    if row.kind in REPORTS:
        return not targets.supports.isdisjoint(map(int, _NUMBER.findall(row.results or "")))
    if targets.external_id is not None and json.dumps(targets.external_id)[1:-1] in texts:
        return True
    if any(job_id in (row.job_id, row.target) for job_id, _ in targets.items):
        return True
    return not (
        targets.pictures.isdisjoint(_DIGEST.findall(texts))
        and targets.supports.isdisjoint(map(int, _SUPPORT.findall(texts)))
    )


def pictures_named(row: Row[Any], external_id: str) -> list[str]:
    """Return the digests of the items of a chunk that bear an id."""
    if json.dumps(external_id)[1:-1] not in row.inputs:
        return []
    return [
        item["picture"]
        for item in json.loads(row.inputs)
        if item.get("picture") and external_id in (item.get("external_id"), item.get("custom_id"))
    ]


def erase_in_chunk(
    connection: Connection, erasure_id: str, chunk_id: int, targets: Targets
) -> Counter[str] | None:
    """Take everything that is to be erased out of a chunk and what belongs to its items; return the counts.

    Returns None if another transaction changed its state meanwhile: try again.
    """
    found = connection.execute(
        select(t.chunk.c.job_id, t.chunk.c.state).where(t.chunk.c.id == chunk_id)
    ).first()
    if found is None:
        return Counter()
    is_open = found.state not in FINAL_CHUNK
    if not is_open:
        lock_job(connection, found.job_id)
    row = connection.execute(select(t.chunk).where(t.chunk.c.id == chunk_id).with_for_update()).first()
    if row is None:
        return Counter()
    if (row.state not in FINAL_CHUNK) is not is_open:
        return None
    job = lock_job(connection, row.job_id)
    if job is None:
        return Counter()
    if job.kind in REPORTS and not is_open:
        connection.execute(delete(t.idempotency).where(t.idempotency.c.job_id == job.id))
        connection.execute(delete(t.chunk).where(t.chunk.c.job_id == job.id))
        connection.execute(delete(t.job).where(t.job.c.id == job.id))
        return Counter(reports=1)
    target = job.target if job.kind is JobKind.REDECIDE else None
    cleaned = clean(job.id, row.inputs, row.results, targets, target=target)
    if not cleaned.is_changed:
        return Counter()
    _write(connection, row, cleaned)
    counts = Counter(items=len(cleaned.items), shown=cleaned.mentions)
    if cleaned.items:
        counts += _erase_items(connection, job, row, cleaned.items)
        kept = select(t.tally.c.kept).where(t.tally.c.chunk_id == chunk_id, t.tally.c.kept.is_not(None))
        files = [(KEPT, f"{job.id}/{name}") for name in connection.execute(kept).scalars()]
        items = [(ITEM, f"{job.id}:{item}") for item in cleaned.items]
        keeps = KINDS[job.kind].keeps_pictures
        pictures = [(PICTURE, one["picture"]) for one in row.inputs if keeps and one.get("picture")
                    and one["index"] in cleaned.items]  # fmt: skip
        add_targets(connection, erasure_id, [*files, *items, *pictures, *cleaned.files])
        targets.items.update((job.id, item) for item in cleaned.items)
    return counts


def _write(connection: Connection, row: Row[Any], cleaned: Cleaned) -> None:
    values: dict[str, Any] = {"inputs": cleaned.inputs, "results": cleaned.results}
    this = t.chunk.c.id == row.id
    if row.state in FINAL_CHUNK:
        connection.execute(update(t.chunk).where(this).values(values))
        if row.state is ChunkState.SETTLED:
            _recount(connection, row, cleaned.results or ())
        return
    if row.state is ChunkState.RUNNING and cleaned.items:
        connection.execute(update(t.chunk).where(this).values(values))
        requeue_unclaimed(connection, [row.id])  # whoever holds it has read what is gone
        return
    unfetched = any(is_web_url(one.get("place")) for one in cleaned.inputs if not one.get("problem"))
    held = {} if row.state is ChunkState.RUNNING else RELEASED
    connection.execute(
        update(t.chunk).where(this).values(**values, **held, unfetched=row.unfetched and unfetched)
    )


def _recount(connection: Connection, row: Row[Any], results: Sequence[Result]) -> None:
    connection.execute(update(t.tally).where(t.tally.c.chunk_id == row.id).values(counts=tally_of(results)))
    more = _failed(results) - _failed(row.results or ())
    job = t.job.c
    connection.execute(
        update(t.job).where(job.id == row.job_id).values(done=job.done - more, failed=job.failed + more)
    )


def _failed(results: Sequence[Result]) -> int:
    return sum(one["status"] == "failed" for one in results)


def _erase_items(connection: Connection, job: Row[Any], row: Row[Any], items: Sequence[int]) -> Counter[str]:
    """Take items out of everything that is kept of them beside their chunk."""
    of_items = (t.review.c.job_id == job.id, t.review.c.item.in_(items))
    reviews = connection.execute(delete(t.review).where(*of_items)).rowcount
    connection.execute(delete(t.idempotency).where(t.idempotency.c.job_id == job.id))
    vectors = _blank_vectors(connection, job.id, items)
    before = {one["item"]: one for one in row.results or ()}
    past = _erase_past(connection, job.id, items, before)
    return Counter(reviews=reviews, vectors=vectors, past_answers=past)


def _blank_vectors(connection: Connection, job_id: str, items: Sequence[int]) -> int:
    kept = t.item_vectors
    rows = connection.execute(
        select(kept).where(overlaps(kept, job_id, min(items), max(items) + 1)).with_for_update()
    ).all()
    blanked = 0
    for row in rows:
        places = [item - row.first_item for item in items if 0 <= item - row.first_item < row.size]
        vectors, crops = _blanked(row.vectors, row.size, places), _blanked(row.crops, row.size, places)
        if places:
            blanked += len(places)
            which = update(kept).where(kept.c.chunk_id == row.chunk_id)
            connection.execute(which.values(vectors=vectors, crops=crops))
    return blanked


def _blanked(packed: bytes | None, size: int, places: Sequence[int]) -> bytes | None:
    if packed is None:
        return None
    left, stride = bytearray(packed), len(packed) // size
    for place in places:
        left[place * stride : (place + 1) * stride] = bytes(stride)
    return bytes(left)


def _erase_past(
    connection: Connection, job_id: str, items: Sequence[int], current: Mapping[int, Result]
) -> int:
    """Take items out of earlier versions of a job's answers, and what they add to the counts."""
    past = t.past_results
    rows = connection.execute(
        select(past)
        .where(overlaps(past, job_id, min(items), max(items) + 1))
        .order_by(past.c.version.desc())
        .with_for_update()
    ).all()
    after, erased = dict(current), 0
    for row in rows:
        results = json.loads(zlib.decompress(row.results))
        gone = [one for one in results if one["item"] in items]
        if not gone:
            continue
        counts = {name: Counter(values) for name, values in row.counts.items()}
        for sign, some in ((-1, gone), (1, [after[one["item"]] for one in gone if one["item"] in after])):
            for name, values in tally_of(some).items():
                for value, count in values.items():
                    counts.setdefault(name, Counter())[value] += sign * count
        after |= {one["item"]: one for one in gone}
        erased += len(gone)
        connection.execute(
            update(past)
            .where(past.c.chunk_id == row.chunk_id)
            .values(
                results=pack_past([clean_result(one, Targets(), items)[0] for one in results]),
                counts={name: {v: n for v, n in found.items() if n} for name, found in counts.items()},
            )
        )
    return erased


def pack_past(results: Sequence[Result]) -> bytes:
    """Return results as `past_results` holds them."""
    return zlib.compress(json.dumps(list(results), separators=(",", ":")).encode())


def erase_in_past(
    connection: Connection, after: int, names: Sequence[str] | None, targets: Targets, limit: int
) -> tuple[int | None, int]:
    """Take supports out of the next earlier answers; return how far that came (None: the end) and a count."""
    past = t.past_results
    rows = connection.execute(
        select(past.c.chunk_id, past.c.results)
        .join(t.job, t.job.c.id == past.c.job_id)
        .where(past.c.chunk_id > after, in_scope(names))
        .order_by(past.c.chunk_id)
        .limit(limit)
    ).all()
    shown = 0
    for row in rows:
        cleaned = [clean_result(one, targets, ()) for one in json.loads(zlib.decompress(row.results))]
        count = sum(found for _, found in cleaned)
        if count:
            shown += count
            packed = pack_past([one for one, _ in cleaned])
            connection.execute(update(past).where(past.c.chunk_id == row.chunk_id).values(results=packed))
    return (rows[-1].chunk_id if rows else None), shown


def about_same_answers(connection: Connection, chunk_id: int) -> list[int]:
    """Return the chunks that hold the answers a chunk wrote or was written from: those of the other job."""
    row = connection.execute(
        select(t.chunk.c.job_id, t.chunk.c.first_item, t.chunk.c.size, t.job.c.target, t.job.c.kind)
        .join(t.job, t.job.c.id == t.chunk.c.job_id)
        .where(t.chunk.c.id == chunk_id)
    ).first()
    if row is None:
        return []
    jobs = select(t.job.c.id).where(t.job.c.kind == JobKind.REDECIDE)
    which = t.job.c.target == row.job_id
    ids = list(connection.execute(jobs.where(which)).scalars())
    if row.kind is JobKind.REDECIDE and row.target is not None:
        ids.append(row.target)
    end = row.first_item + row.size
    spans = [overlaps(t.chunk, job_id, row.first_item, end) for job_id in ids]
    return [] if not spans else list(connection.execute(select(t.chunk.c.id).where(or_(*spans))).scalars())
