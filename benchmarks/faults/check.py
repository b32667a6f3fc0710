"""The checker: what was acknowledged, held against the record, the effects and the replicas."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import func, select

from benchmarks.common import picture
from benchmarks.faults.callers import Acknowledged
from core.jobs import FINAL
from index import snapshot
from index.replica import Replica
from store import tables as t
from store.store import Store
from store.work.redecisions import CHANGED, UNCHANGED

_FINAL = {state.value for state in FINAL}


@dataclass
class Found:
    """What the checker found; `wrong` says in words whatever else is not as it should be."""

    items: int = 0
    lost: int = 0
    doubled: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Items that failed, by code."""
    wrong: list[str] = field(default_factory=list)


def all_ended(store: Store, jobs: Sequence[Acknowledged]) -> bool:
    """Say whether every acknowledged job has come to its end."""
    with store.database.read() as connection:
        states = dict(connection.execute(select(t.job.c.id, t.job.c.state)).all())
    return all(states.get(job.job) in _FINAL for job in jobs)


def check_record(store: Store, collection: str, jobs: Sequence[Acknowledged]) -> Found:
    """Hold the acknowledged jobs against the record."""
    found = Found(items=sum(len(job.digests) for job in jobs))
    with store.database.read() as connection:
        rows = {
            row.id: row
            for row in connection.execute(select(t.job).where(t.job.c.collection_name == collection))
        }
        keyed = set(connection.execute(select(t.idempotency.c.job_id)).scalars())
        chunks = connection.execute(
            select(t.chunk.c.job_id, t.chunk.c.results).where(t.chunk.c.state == "settled")
        ).all()
        mine = select(t.collection.c.id).where(t.collection.c.name == collection).scalar_subquery()
        supports = connection.execute(
            select(t.support.c.id, t.support.c.picture, t.support.c.class_id, t.support.c.seq).where(
                t.support.c.collection_id == mine
            )
        ).all()
        version = connection.execute(
            select(t.collection.c.version).where(t.collection.c.name == collection)
        ).scalar()
        top = connection.execute(
            select(func.max(t.class_.c.seq)).where(t.class_.c.collection_id == mine)
        ).scalar()
        replaced = connection.execute(
            select(t.answer_version.c.redecide_id, t.past_results.c.results).join(
                t.past_results,
                (t.past_results.c.job_id == t.answer_version.c.job_id)
                & (t.past_results.c.version == t.answer_version.c.version),
            )
        ).all()
    results: dict[str, list[dict]] = {}
    for job_id, of_chunk in chunks:
        results.setdefault(job_id, []).extend(of_chunk)
    living = {row.id: row.picture for row in supports if row.class_id is not None}
    for job in {job.job: job for job in jobs}.values():
        _check_job(found, job, rows.get(job.job), results.get(job.job, []), living)
    past: dict[str, Counter[int]] = {}
    for job_id, packed in replaced:
        past.setdefault(job_id, Counter()).update(one["item"] for one in json.loads(zlib.decompress(packed)))
    for job in {job.job: job for job in jobs if job.kind == "redecide"}.values():
        _check_replaced(found, results.get(job.job, []), past.get(job.job, Counter()))
    found.doubled += sum(times - 1 for times in Counter(living.values()).values())
    unkeyed = {job.job for job in jobs if job.key is None}
    takes = {id_ for id_, row in rows.items() if row.kind != "search" and row.target is None}
    found.doubled += len(takes - keyed - unkeyed)  # a second job of one key
    seqs = [row.seq for row in supports] + [top or 0]
    if (version or 0) < max(seqs, default=0):
        found.wrong.append(f"version {version} is behind seq {max(seqs)}")
    return found


def _check_job(found: Found, job: Acknowledged, row, results: Sequence[dict], living: dict[int, str]) -> None:
    if row is None or row.state not in _FINAL:
        found.lost += len(job.digests)
        found.wrong.append(f"{job.job}: {'gone' if row is None else row.state}")
        return
    times = Counter(result["item"] for result in results)
    found.lost += len(set(range(len(job.digests))) - set(times))
    found.doubled += sum(n - 1 for n in times.values())
    found.failed.update(result["error"]["code"] for result in results if result["status"] == "failed")
    if row.done + row.failed != len(results) or row.total != len(job.digests):
        found.wrong.append(
            f"{job.job}: counts {row.done}+{row.failed} of {row.total}, {len(results)} results"
        )
    if job.kind == "enroll":
        for result in results:
            if result["status"] == "done" and living.get(result["support_id"]) != job.digests[result["item"]]:
                found.lost += 1


def _check_replaced(found: Found, results: Sequence[dict], past: Counter[int]) -> None:
    """Every answer that was decided again replaced one that is kept, once."""
    decided = {one["item"] for one in results if one.get("outcome") in (CHANGED, UNCHANGED)}
    found.lost += len(decided - set(past))
    found.doubled += sum(past.values()) - len(past) + len(set(past) - decided)


def fresh_replica(store: Store, collection: str) -> Replica | None:
    """Return a replica made of the record alone; None where there is no support."""
    with store.database.read() as connection:
        row = connection.execute(select(t.collection.c.id).where(t.collection.c.name == collection)).one()
    changes = store.supports.changes_since(row.id, 0)
    vectors = [change.vector for change in changes.supports if change.vector is not None] if changes else []
    if changes is None or not vectors:
        return None
    replica = Replica(len(vectors[0]))
    replica.apply(changes)
    return replica


def digest_of(replica: Replica) -> str:
    """Return a digest of what a replica holds, whatever the order it came in."""
    content = replica.content()
    order = content.ids.argsort()
    parts = (content.ids[order], content.class_ids[order], content.vectors[order])
    classes = sorted((c.id, c.label, c.kind.value) for c in content.classes)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts) + repr(classes).encode()).hexdigest()


def check_replicas(store: Store, collection: str, folders: Sequence[Path], found: Found) -> int:
    """Hold every worker's replica, as saved at its end, against the record; return their number."""
    fresh = fresh_replica(store, collection)
    if fresh is None:
        return 0
    with store.database.read() as connection:
        id_ = connection.execute(
            select(t.collection.c.id).where(t.collection.c.name == collection)
        ).scalar_one()
    seen = 0
    for folder in folders:
        replica = snapshot.load(folder, id_, fresh.dim)
        if replica is None:
            continue
        seen += 1
        changes = store.supports.changes_since(id_, replica.version)
        if changes is not None:
            replica.apply(changes)
        if digest_of(replica) != digest_of(fresh):
            found.wrong.append(f"the replica of {folder.parent.name} differs from the record")
    return seen


def check_answers(url: str, collection: str, jobs: Sequence[Acknowledged], found: Found, most: int) -> None:
    """Search with pictures whose enrolment was acknowledged; each must find itself."""
    enrolled = [
        (n, digest)
        for job in jobs
        if job.kind == "enroll"
        for n, digest in zip(job.numbers, job.digests, strict=True)
    ]
    step = max(len(enrolled) // most, 1)
    with httpx.Client(base_url=url, timeout=60) as http:
        for number, _ in enrolled[::step][:most]:
            answer = http.post(
                f"/v1/collections/{collection}/search",
                content=picture(number),
                headers={"Content-Type": "image/png", "Prefer": "wait=30"},
            ).json()
            near = answer["results"][0]["neighbours"][0]["similarity"] if "results" in answer else 0
            if near < 0.999:
                found.wrong.append(f"picture {number} was enrolled and is not found: {near}")
