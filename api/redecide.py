"""Views that use the kept vectors of a job: decide its answers again, and group what has no label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Response
from sqlalchemy import Connection

from api.inputs import NewGroups, Redecide
from api.job_options import as_of
from api.made import submit
from api.models import JobModel
from api.routes import Routes
from api.services import services
from api.submit import answer, idempotency_of
from core.errors import ExemplarError
from core.jobs import Item, Job, JobKind, JobRequest, Lane
from store.record.keys import Scope
from store.work.targets import check_checked, check_groupable, check_redecidable

routes = Routes("redecide")

SOON = 1000  # items that take a second at most: a person waits for them


@routes.add(
    "POST", "/jobs/<job_id>/redecide", scope=Scope.CLASSIFY, answer=JobModel, status=202, may_wait=True
)
def redecide_job(job_id: str, body: Redecide) -> Response:
    """Decide the answers of a job again from kept vectors, with its collection as it is now, or was."""
    target = services().store.jobs.get(job_id)
    if target.where and body.version is not None:
        raise ExemplarError(
            "where_invalid", "version: expected none, because the job was answered by a filter of metadata"
        )
    where = {"where": target.where} if target.where else {}
    options = {"dry_run": body.dry_run, **as_of(target.collection, body.version), **where}
    asked = redecision(target, options)
    return _submit(asked, partial(check_redecidable, job_id=job_id, dry_run=body.dry_run))


@routes.add("POST", "/jobs/<job_id>/groups", scope=Scope.CLASSIFY, answer=JobModel, status=202, may_wait=True)
def group_items(job_id: str, body: NewGroups) -> Response:
    """Group the items of a job that have no label by their kept vectors."""
    collection = services().store.jobs.get(job_id).collection
    asked = JobRequest(
        collection, JobKind.GROUP, Lane.INTERACTIVE, [Item(0)], target=job_id, options=body.model_dump()
    )
    return _submit(asked, partial(check_groupable, job_id=job_id))


@routes.add("POST", "/jobs/<job_id>/effect", scope=Scope.CLASSIFY, answer=JobModel, status=202, may_wait=True)
def tell_effect(job_id: str) -> Response:
    """Tell how the answers about the supports would change if the pictures of a check were enrolled."""
    collection = services().store.jobs.get(job_id).collection
    asked = JobRequest(collection, JobKind.EFFECT, Lane.INTERACTIVE, [Item(0)], target=job_id)
    return _submit(asked, partial(check_checked, job_id=job_id))


def redecision(target: Job, options: Mapping[str, Any]) -> JobRequest:
    """Return the job that decides all answers of another one again."""
    lane = Lane.INTERACTIVE if target.total <= SOON else Lane.BULK
    items = [Item(number) for number in range(target.total)]
    return JobRequest(
        target.collection, JobKind.REDECIDE, lane, items, target.top, target=target.id, options=options
    )


def _submit(asked: JobRequest, check: Callable[[Connection], str]) -> Response:
    key = idempotency_of([asked.kind, asked.target, dict(asked.options)])
    return answer(submit(asked, key, check).job)
