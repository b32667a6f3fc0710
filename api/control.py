"""Views that hold a job, let it go on, take it back, or give it another try."""

from __future__ import annotations

import time

from api.auth import check_key
from api.models import JobModel
from api.routes import Routes
from api.services import services
from store.record.keys import Scope
from store.work.control import Revived
from store.work.kinds import KINDS

routes = Routes("control")


@routes.add("POST", "/jobs/<job_id>/cancel", scope=Scope.CLASSIFY, answer=JobModel)
def cancel_job(job_id: str) -> JobModel:
    """Take back what no worker has begun."""
    _check_scope(job_id)
    return JobModel.of(services().store.control.cancel(job_id), time.time())


@routes.add("POST", "/jobs/<job_id>/pause", scope=Scope.CLASSIFY, answer=JobModel)
def pause_job(job_id: str) -> JobModel:
    """Hold what no worker has begun."""
    _check_scope(job_id)
    return JobModel.of(services().store.control.pause(job_id), time.time())


@routes.add("POST", "/jobs/<job_id>/resume", scope=Scope.CLASSIFY, answer=JobModel)
def resume_job(job_id: str) -> JobModel:
    """Let a paused job go on."""
    _check_scope(job_id)
    return _go_on(services().store.control.resume(job_id))


@routes.add("POST", "/jobs/<job_id>/retry", scope=Scope.CLASSIFY, answer=JobModel)
def retry_job(job_id: str) -> JobModel:
    """Try the failed items of a job again."""
    _check_scope(job_id)
    return _go_on(services().store.control.retry(job_id))


def _check_scope(job_id: str) -> None:
    """Require the scope of the job's kind; raises `job_not_found`."""
    check_key(KINDS[services().store.jobs.get(job_id).kind].scope)


def _go_on(revived: Revived) -> JobModel:
    if revived.encoder is not None:
        services().store.wake_ups.send(revived.job.lane, revived.encoder)
    return JobModel.of(revived.job, time.time())
