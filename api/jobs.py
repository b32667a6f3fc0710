"""Views of jobs and their results."""

from __future__ import annotations

import time

from flask import Response, request, stream_with_context

from api.inputs import PageQuery
from api.models import JobModel, JobPage, ResultPage
from api.pages import make_cursor, read_cursor, read_number
from api.results import as_csv, as_ndjson, shown
from api.routes import Routes
from api.services import services
from store.keys import Scope

routes = Routes("jobs")

RESULT_TYPES = ("application/json", "application/x-ndjson", "text/csv")


@routes.add("GET", "/jobs", scope=Scope.CLASSIFY, query=PageQuery, answer=JobPage)
def list_jobs(query: PageQuery) -> JobPage:
    """List jobs, the newest first."""
    found = services().store.jobs.page(before=read_cursor(query.cursor), limit=query.limit)
    return JobPage(
        items=[JobModel.of(job, time.time()) for job in found],
        next_cursor=make_cursor(found[-1].id) if len(found) == query.limit else None,
    )


@routes.add("GET", "/jobs/<job_id>", scope=Scope.CLASSIFY, answer=JobModel)
def get_job(job_id: str) -> JobModel:
    """Show how far a job has come."""
    return JobModel.of(services().store.jobs.get(job_id), time.time())


@routes.add(
    "GET",
    "/jobs/<job_id>/results",
    scope=Scope.CLASSIFY,
    query=PageQuery,
    answer=ResultPage,
    media_types=RESULT_TYPES,
)
def get_results(job_id: str, query: PageQuery) -> Response:
    """Show results: a page as JSON, all that are settled as NDJSON or CSV."""
    job = services().store.jobs.get(job_id)
    media_type = request.accept_mimetypes.best_match(RESULT_TYPES, default=RESULT_TYPES[0])
    if media_type == "application/x-ndjson":
        return Response(stream_with_context(as_ndjson(job)), content_type=media_type)
    if media_type == "text/csv":
        return Response(stream_with_context(as_csv(job)), content_type="text/csv; charset=utf-8")
    page = services().store.jobs.results(job_id, after=read_number(query.cursor), limit=query.limit)
    model = ResultPage(
        items=[shown(job, result) for result in page.results],
        next_cursor=None if page.next_item is None else make_cursor(page.next_item),
    )
    return Response(model.model_dump_json(exclude_unset=True), content_type="application/json")


@routes.add("POST", "/jobs/<job_id>/cancel", scope=Scope.CLASSIFY, answer=JobModel)
def cancel_job(job_id: str) -> JobModel:
    """Take back what no worker has begun."""
    return JobModel.of(services().store.jobs.cancel(job_id), time.time())
