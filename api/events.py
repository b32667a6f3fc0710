"""The progress of a job as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Response, request, stream_with_context

from api.models import JobModel
from api.openapi import EVENTS
from api.routes import Routes
from api.services import services
from core.errors import ExemplarError
from core.jobs import FINAL, Job
from store.record.keys import Scope

routes = Routes("events")

POLL_S = 0.5
KEEP_ALIVE_S = 10.0  # also the time until a closed connection is noticed
LONGEST_S = 600.0  # the client then reconnects, which frees the place for others
RECONNECT_MS = 2000


@routes.add(
    "GET",
    "/jobs/<job_id>/events",
    scope=Scope.CLASSIFY,
    contributors_too=True,
    media_types=(EVENTS,),
    parameters=(
        {
            "name": "Last-Event-ID",
            "in": "header",
            "schema": {"type": "string"},
            "description": "The last event that was seen; only what is newer is told.",
        },
    ),
    responses={"204": {"description": "The job has ended and its last event was seen."}},
)
def watch_job(job_id: str) -> Response:
    """Stream a job's progress as server-sent events until it ends."""
    job = services().store.jobs.get(job_id)
    seen = request.headers.get("Last-Event-ID")
    if job.state in FINAL and seen == _id_of(job):
        return Response(status=204)  # stops a browser from reconnecting
    streams = services().streams
    streams.take()
    response = Response(stream_with_context(follow(job, seen)), content_type=EVENTS)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would buffer the events
    return streams.hold_for(response)


def follow(job: Job, seen: str | None) -> Iterator[str]:
    """Yield an event whenever the job has advanced beyond `seen`; end with the job."""
    jobs = services().store.jobs
    until = time.monotonic() + LONGEST_S
    silent_since = time.monotonic()
    yield f"retry: {RECONNECT_MS}\n\n"
    while True:
        now = time.monotonic()
        if _id_of(job) != seen:
            seen, silent_since = _id_of(job), now
            yield _event(job)
        elif now - silent_since >= KEEP_ALIVE_S:
            silent_since = now
            yield ": still here\n\n"
        if job.state in FINAL or now >= until or services().streams.has_ended:
            return
        time.sleep(POLL_S)
        try:
            job = jobs.get(job.id)
        except ExemplarError as error:
            if not error.retry:  # the job was deleted
                return


def _event(job: Job) -> str:
    name = "end" if job.state in FINAL else "progress"
    shown = JobModel.of(job, time.time()).model_dump_json()
    return f"id: {_id_of(job)}\nevent: {name}\ndata: {shown}\n\n"


def _id_of(job: Job) -> str:
    """Return a value that is equal as long as there is nothing new to send."""
    return f"{job.state.value}.{job.done}.{job.failed}.{job.total}"
