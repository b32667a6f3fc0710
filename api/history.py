"""Views of a collection's versions: list them, compare two, return to one."""

from __future__ import annotations

from functools import partial

from flask import Response

from api.auth import require_visible
from api.inputs import DiffQuery, PageQuery
from api.made import WAIT_S, submit
from api.models import JobSummary
from api.pages import make_cursor, read_number
from api.prefer import accepted, has_ended
from api.redecide import redecision
from api.routes import Routes, as_json
from api.services import services
from api.version_models import ChangeModel, ChangePage, Restored, VersionDiff
from api.versions import resolve_version
from core.jobs import Job
from store.record.keys import Scope
from store.work.rows import job_not_found
from store.work.submission import Idempotency
from store.work.targets import check_redecidable

routes = Routes("history")


@routes.add("GET", "/collections/<collection>/versions", scope=Scope.CLASSIFY)
def list_versions(collection: str, query: PageQuery) -> ChangePage:
    """List who changed a collection, when and how, newest first."""
    before = None if query.cursor is None else read_number(query.cursor)
    found = services().store.history.page(collection, before=before, limit=query.limit)
    names = services().store.version_names.of(collection)
    return ChangePage.of(
        found,
        query.limit,
        lambda change: ChangeModel.of(change, names.get(change.version)),
        by="version",
    )


@routes.add(
    "GET", "/collections/<collection>/versions/diff", scope=Scope.CLASSIFY, answer=VersionDiff, may_wait=True
)
def compare_versions(collection: str, query: DiffQuery) -> Response:
    """Compare two versions of a collection, and which answers of a job flip between them."""
    store, after = services().store, read_number(query.cursor)
    found = store.differences.between(collection, query.before, query.after, after=after, limit=query.limit)
    answers = None
    if query.job is not None:
        job = _decided_at_both(collection, query.job, (found.from_version, found.to_version))
        if not has_ended(job, WAIT_S):
            return accepted(store.jobs.get(job.id))
        job = store.jobs.get(job.id)
        answers = JobSummary.of(job, store.jobs.tally(job.id), *store.reviews.counts(job.id))
    last = found.supports[-1].id if len(found.supports) == query.limit else None
    return as_json(VersionDiff.of(found, None if last is None else make_cursor(last), answers))


@routes.add("POST", "/collections/<collection>/versions/<version>/restore", scope=Scope.ADMIN)
def restore_version(collection: str, version: str) -> Restored:
    """Make a collection what it was at a version, by one change that restoring undoes."""
    number = resolve_version(collection, version)
    return Restored(version=services().store.history.restore(collection, number), restored=number)


def _decided_at_both(collection: str, job_id: str, versions: tuple[int, int]) -> Job:
    """Return the job that decides the answers of another one at two versions, and changes nothing."""
    require_visible(job_id=job_id)
    store, (before, after) = services().store, versions
    target = store.jobs.get(job_id)
    if target.collection != collection:
        raise job_not_found(job_id)
    for version in versions:
        store.history.at(collection, version)
    asked = redecision(target, {"dry_run": True, "version": after, "against": before})
    key = f"diff:{job_id}:{before}:{after}"
    check = partial(check_redecidable, job_id=job_id, dry_run=True)
    return submit(asked, Idempotency(key, key), check).job
