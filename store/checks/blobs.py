"""Checks of the blobs: everything the record refers to exists intact, and orphans are found."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import select

from core.errors import ExemplarError
from core.findings import Finding
from core.jobs import JobKind
from store import tables as t
from store.blobs import PICTURES, SHARED, THUMBNAILS, FoundFile, digest_of, uploads_of
from store.record.retention import keeps_files
from store.store import Store
from store.work.jobs import submitted_at
from store.work.kinds import folder_of_pictures
from store.work.states import FINAL_CHUNK

SAFE_S = 86400.0  # newer files may belong to a job that is just being submitted
SAMPLE = 200  # files whose checksum is verified, unless all are


@dataclass(slots=True)
class _Wanted:
    """What the record refers to: names by folder."""

    supports: dict[str, set[str]] = field(default_factory=lambda: {PICTURES: set(), THUMBNAILS: set()})
    pending: dict[str, set[str]] = field(default_factory=dict)
    """Files that unfinished work will read."""
    again: set[str] = field(default_factory=set)
    """Pictures of enrolments that may be retried."""


def examine_blobs(store: Store, *, deep: bool = False) -> Iterator[Finding]:
    """Yield problems of the blobs; `deep` verifies every checksum instead of a sample.

    Raises `blobs_unavailable` and `record_unavailable`.
    """
    wanted = _wanted(store)
    there = {folder: store.blobs.files(folder) for folder in SHARED}
    missing = _missing(store, wanted, there)
    if missing:  # files written or deleted while the lists were made are not missing
        missing &= _missing(store, _wanted(store), {folder: store.blobs.files(folder) for folder in SHARED})
    yield from _missing_findings(missing)
    yield from _damaged(store, there, deep=deep)
    yield from _orphans(store, wanted, there)
    yield from _uploads(store)


def _wanted(store: Store) -> _Wanted:
    wanted = _Wanted()
    support, chunk = t.support.c, t.chunk.c
    with store.database.read(patient=True) as connection:
        rows = connection.execute(select(support.picture, support.thumbnail).where(keeps_files()))
        for row in rows:
            wanted.supports[PICTURES].add(row.picture)
            if row.thumbnail:  # supports imported without pictures have none
                wanted.supports[THUMBNAILS].add(row.thumbnail)
        waiting = t.quarantine.c
        for row in connection.execute(select(waiting.picture, waiting.thumbnail)):
            wanted.supports[PICTURES].add(row.picture)
            wanted.supports[THUMBNAILS].add(row.thumbnail)
        for names in wanted.supports.values():
            names.discard("")  # of refused ones nothing is kept
        chunks = connection.execute(
            select(chunk.job_id, chunk.state, chunk.inputs, t.job.c.kind).join(
                t.job, t.job.c.id == chunk.job_id
            )
        )
        for job_id, state, inputs, kind in chunks:
            is_open = state not in FINAL_CHUNK
            for folder, name in _blobs_of(job_id, kind, inputs):
                if is_open:
                    wanted.pending.setdefault(folder, set()).add(name)
                elif folder == PICTURES:
                    wanted.again.add(name)
        for job_id, asked in connection.execute(select(t.source.c.job_id, t.source.c.asked)):
            names = {asked.get(part) for part in ("archive", "manifest", "bundle")} - {None, ""}
            wanted.pending.setdefault(uploads_of(job_id), set()).update(names)
    return wanted


def _blobs_of(job_id: str, kind: JobKind, inputs: Iterable[dict[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield folder and name of each item's bytes, except of places elsewhere and of refused items."""
    for item in inputs:
        place = item.get("place")
        if place is not None and place.startswith("pack:"):
            yield uploads_of(job_id), place.split(":")[1]
        elif item.get("picture") and not item.get("problem"):
            yield folder_of_pictures(kind, job_id), item["picture"]


def _missing(store: Store, wanted: _Wanted, there: dict[str, list[FoundFile]]) -> set[tuple[str, str]]:
    names = {folder: {file.name for file in files} for folder, files in there.items()}
    found = {(folder, name) for folder, some in wanted.supports.items() for name in some - names[folder]}
    for folder, some in wanted.pending.items():
        here = names[folder] if folder in names else {file.name for file in store.blobs.files(folder)}
        found |= {("pending", name) for name in some if name not in here}
    return found


def _missing_findings(missing: set[tuple[str, str]]) -> Iterator[Finding]:
    said = {
        PICTURES: "pictures of supports are missing: these are still found, but cannot be embedded again",
        THUMBNAILS: "thumbnails of supports are missing",
        "pending": "pictures of waiting work are missing: their items will fail; submit them again",
    }
    for folder, what in said.items():
        names = sorted(name for of, name in missing if of == folder)
        if names:
            message = f"{len(names)} {what} ({names[0][:12]} is one)"
            yield Finding("blobs", f"{folder}_missing", message, len(names))


def _damaged(store: Store, there: dict[str, list[FoundFile]], *, deep: bool) -> Iterator[Finding]:
    files = [(folder, file) for folder, some in there.items() for file in some if len(file.name) == 64]
    if not deep:
        files = random.sample(files, min(SAMPLE, len(files)))
    bad = [file.name for folder, file in files if not _is_intact(store, folder, file.name)]
    if bad:
        message = f"{len(bad)} files are damaged ({bad[0][:12]} is one): restore them from a backup"
        yield Finding("blobs", "blob_damaged", message, len(bad))


def _is_intact(store: Store, folder: str, name: str) -> bool:
    try:
        return digest_of(store.blobs.get(folder, name)) == name
    except ExemplarError as error:
        if error.code == "blob_not_found":  # deleted since the list was made
            return True
        raise


def _orphans(store: Store, wanted: _Wanted, there: dict[str, list[FoundFile]]) -> Iterator[Finding]:
    orphans = [
        (folder, file)
        for folder, files in there.items()
        for file in files
        if file.age_s > SAFE_S and not _is_wanted(wanted, folder, file.name)
    ]
    if orphans:
        message = f"{len(orphans)} pictures and thumbnails older than a day are orphaned"
        yield Finding("blobs", "blob_orphaned", message, len(orphans), partial(_remove, store, orphans))


def _is_wanted(wanted: _Wanted, folder: str, name: str) -> bool:
    is_pending = name in wanted.pending.get(folder, ())
    return is_pending or name in wanted.supports[folder] or (folder == PICTURES and name in wanted.again)


def _remove(store: Store, files: Iterable[tuple[str, FoundFile]]) -> int:
    """Delete files that were found to be unused, each with its folder; return how many."""
    wanted = _wanted(store)  # read again: such a picture may have been enrolled meanwhile
    removed = 0
    for folder, file in files:
        # a caller that stores the same bytes again renews the file's age first, so that it is kept
        if not _is_wanted(wanted, folder, file.name) and store.blobs.age_s(file) > SAFE_S:
            store.blobs.remove_file(file.path)
            removed += 1
    return removed


def remove_unused(store: Store, pictures: Collection[str], thumbnails: Collection[str]) -> int:
    """Delete those of these files that nothing needs; return their number."""
    unused = zip(SHARED, store.retention.unused(sorted(pictures), sorted(thumbnails)), strict=True)
    files = [(folder, store.blobs.find(folder, name)) for folder, names in unused for name in sorted(names)]
    return _remove(store, files) if files else 0


def _uploads(store: Store) -> Iterator[Finding]:
    orphans = _orphaned_uploads(store)
    if orphans:
        message = f"{len(orphans)} uploads older than a day belong to no job"
        repair = partial(remove_orphaned_uploads, store)
        yield Finding("blobs", "upload_orphaned", message, len(orphans), repair)


def _orphaned_uploads(store: Store) -> list[str]:
    """Return the jobs whose uploads are there, though they were deleted, or never written: the API died."""
    long_ago = time.time() - SAFE_S
    old = [job_id for job_id in store.blobs.jobs_with_uploads() if 0 < submitted_at(job_id) < long_ago]
    return sorted(store.jobs.unknown_among(old))


def remove_orphaned_uploads(store: Store) -> int:
    """Delete the uploads that belong to no job; return how many."""
    orphans = _orphaned_uploads(store)
    for job_id in orphans:
        store.blobs.remove_folder(uploads_of(job_id))
    return len(orphans)
