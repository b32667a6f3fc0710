"""What a job makes: a report, a comparison, an effect, each once for one state of what it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from api.prefer import has_ended
from api.requests import origin_of
from api.services import check_offered, services
from core.errors import ExemplarError, error_of
from core.jobs import FINAL, Job, JobRequest, JobState
from core.results import Result
from store.work.jobs import new_job_id
from store.work.submission import Idempotency, Submitted

WAIT_S = 5.0  # if the caller does not say; most of it takes a fraction of a second


def submit(
    asked: JobRequest, key: Idempotency | None, check: Callable[[Connection], str] | None = None
) -> Submitted:
    """Submit a job without uploads and wake a worker; `check` returns the encoder that it needs."""
    store, job_id = services().store, new_job_id()
    asked = replace(asked, origin=origin_of(job_id, asked.kind))
    before = None if check is None else partial(_check, check)
    submitted = store.jobs.submit(job_id, asked, key, before=before)
    if not submitted.replayed:
        store.wake_ups.send(asked.lane, submitted.encoder)
    return submitted


def _check(check: Callable[[Connection], str], connection: Connection) -> None:
    check_offered(check(connection))


def has_succeeded(job: Job) -> bool:
    """Return whether what a finished job made is there."""
    return job.state is JobState.SUCCEEDED


def only_result(job_id: str) -> Result:
    """Return the only result of a job that has ended; raises `report_failed` if it was cancelled."""
    results = services().store.jobs.results(job_id).results
    if not results:
        raise ExemplarError("report_failed", "the job that makes it was cancelled; ask again", retry=True)
    return results[0]


def read_result(job_id: str) -> Result:
    """Return the only result of a job that has ended; raises what it failed with."""
    result = only_result(job_id)
    if result["status"] == "failed":
        raise error_of(result["error"])
    return result


def make(
    asked: JobRequest,
    key: str,
    *,
    is_good: Callable[[Job], bool] = has_succeeded,
    read: Callable[[str], Result] = read_result,
) -> Result | Job:
    """Return the result of the job of this key, or the job if it takes longer than the caller waits.

    An existing job serves again unless it has ended and is not good.
    """
    while True:
        submitted = submit(asked, Idempotency(key, key))
        job = submitted.job
        if not submitted.replayed or job.state not in FINAL or is_good(job):
            return read(job.id) if has_ended(job, WAIT_S) else services().store.jobs.get(job.id)
        services().store.jobs.remove([job.id])
