"""Views of jobs and their results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from urllib.parse import quote

from flask import Response, g, request, stream_with_context

from api.inputs import JobQuery, ResultQuery, Selection, SummaryQuery
from api.links import link
from api.models import JobModel, JobPage, JobSummary, ResultPage
from api.pages import make_cursor, read_cursor, read_number
from api.results import Span, as_csv, as_ndjson, as_parquet, fits, shown
from api.routes import Routes, as_json
from api.services import services
from core.answer_order import Order
from core.jobs import FINAL, Job
from core.packages import require_packages
from core.results import Result
from store.record.keys import Scope
from store.work.orders import Position

routes = Routes("jobs")

PARQUET = "application/vnd.apache.parquet"
RESULT_TYPES = ("application/json", "application/x-ndjson", "text/csv", PARQUET)
_STREAMED: dict[str, tuple[Callable[[Job, Span], Iterator[str] | Iterator[bytes]], str]] = {
    "application/x-ndjson": (as_ndjson, "jsonl"),
    "text/csv": (as_csv, "csv"),
    PARQUET: (as_parquet, "parquet"),
}
SCAN = 2000  # results read per call to find those with a decision
SMALL = 2000  # results buffered for a slow client without holding a thread


@routes.add("GET", "/jobs", scope=Scope.CLASSIFY)
def list_jobs(query: JobQuery) -> JobPage:
    """List jobs, newest first."""
    found = services().store.jobs.page(
        before=read_cursor(query.cursor), limit=query.limit, of=g.collections, target=query.target
    )
    return JobPage.of(found, query.limit, partial(JobModel.of, now=time.time()))


@routes.add("GET", "/jobs/<job_id>", scope=Scope.CLASSIFY, contributors_too=True)
def get_job(job_id: str) -> JobModel:
    """Show a job, its progress, and the versions of its answers."""
    job, versions = services().store.jobs.with_versions(job_id)
    return JobModel.of(job, time.time(), versions)


@routes.add(
    "GET",
    "/jobs/<job_id>/results",
    scope=Scope.CLASSIFY,
    contributors_too=True,
    answer=ResultPage,
    media_types=RESULT_TYPES,
)
def get_results(job_id: str, query: ResultQuery) -> Response:
    """Return results: a page as JSON, or all settled ones as NDJSON, CSV or Parquet."""
    job = services().store.jobs.get(job_id)
    media_type = request.accept_mimetypes.best_match(RESULT_TYPES, default=RESULT_TYPES[0])
    if media_type == PARQUET:
        require_packages("Parquet", "pyarrow")
    if media_type in _STREAMED:
        services().store.jobs.check_version(job_id, query.version)
        after = read_number(query.cursor)
        return _stream(job, media_type, Span(after, services().store.jobs.reach(job.id), query.version))
    results, following = (_page if query.order is Order.ITEM else _ordered_page)(job_id, query)
    model = ResultPage(
        items=[shown(job, result) for result in results],
        next_cursor=None if following is None else make_cursor(following),
    )
    return as_json(model, exclude_unset=True)


@routes.add("GET", "/jobs/<job_id>/summary", scope=Scope.CLASSIFY, contributors_too=True)
def get_summary(job_id: str, query: SummaryQuery) -> JobSummary:
    """Count the results of a job by label, decision and error."""
    job = services().store.jobs.get(job_id)
    store = services().store
    tally = store.jobs.tally(job_id, query.version)
    return JobSummary.of(job, tally, *store.reviews.counts(job_id, query.version))


def _page(job_id: str, query: ResultQuery) -> tuple[Sequence[Result], int | None]:
    """Return the next matching results, reading at most `SCAN`, and the item to continue from."""
    jobs, after = services().store.jobs, read_number(query.cursor)
    if query.status is None and Selection.model_fields.keys().isdisjoint(query.model_fields_set):
        page = jobs.results(job_id, after=after, limit=query.limit, version=query.version)
        return page.results, page.next_item
    page = jobs.results(job_id, after=after, limit=SCAN, version=query.version)
    fitting = [result for result in page.results if _fits(result, query)]
    if len(fitting) <= query.limit:
        return fitting, page.next_item
    return fitting[: query.limit], fitting[query.limit]["item"]


def _ordered_page(job_id: str, query: ResultQuery) -> tuple[Sequence[Result], Position | None]:
    """Return the next matching results in an order, and the position to continue from."""
    cursor = read_cursor(query.cursor)
    page = services().store.orders.page(
        job_id,
        query.order,
        partial(_fits, query=query),
        after=None if cursor is None else Position.read(cursor),
        limit=query.limit,
        version=query.version,
    )
    return page.results, page.position


def _fits(result: Result, query: ResultQuery) -> bool:
    return fits(result, query) and query.status in (None, result["status"])


def _stream(job: Job, media_type: str, span: Span) -> Response:
    """Stream settled results; while the job runs, `Link` gives the continuation."""
    write, suffix = _STREAMED[media_type]
    content_type = "text/csv; charset=utf-8" if media_type == "text/csv" else media_type
    large = span.end - span.first > SMALL
    if large:
        services().streams.take()
    response = Response(stream_with_context(write(job, span)), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{job.id}.{suffix}"'
    if job.state not in FINAL:
        cursor = make_cursor(max(span.end, span.first))
        response.headers["Link"] = (
            f'<{link(f"/v1/jobs/{job.id}/results")}?cursor={quote(cursor)}>; rel="next"'
        )
    return services().streams.hold_for(response) if large else response
