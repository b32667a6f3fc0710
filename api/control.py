"""Views that pause, resume, cancel and retry a job."""

from __future__ import annotations

import time

from api.auth import check_key
from api.models import JobModel
from api.routes import Routes
from api.services import services
from store.queue.wake_ups import Part
from store.record.keys import Scope
from store.work.control import RequeuedJob
from store.work.kinds import KINDS

routes = Routes("control")


@routes.add("POST", "/jobs/<job_id>/cancel", scope=Scope.CLASSIFY)
def cancel_job(job_id: str) -> JobModel:
    """Cancel what no worker has started."""
    _check_scope(job_id)
    store = services().store
    job = store.control.cancel(job_id)
    store.imports.sweep()  # an import that wrote nothing leaves no collection
    return JobModel.of(job, time.time())


@routes.add("POST", "/jobs/<job_id>/pause", scope=Scope.CLASSIFY)
def pause_job(job_id: str) -> JobModel:
    """Pause a job; running chunks finish."""
    _check_scope(job_id)
    return JobModel.of(services().store.control.pause(job_id), time.time())


@routes.add("POST", "/jobs/<job_id>/resume", scope=Scope.CLASSIFY)
def resume_job(job_id: str) -> JobModel:
    """Resume a paused job."""
    _check_scope(job_id)
    return _wake_and_show(services().store.control.resume(job_id))


@routes.add("POST", "/jobs/<job_id>/retry", scope=Scope.CLASSIFY)
def retry_job(job_id: str) -> JobModel:
    """Retry the failed items of a job."""
    _check_scope(job_id)
    return _wake_and_show(services().store.control.retry(job_id))


def _check_scope(job_id: str) -> None:
    """Require the scope of the job's kind; raises `job_not_found`."""
    check_key(KINDS[services().store.jobs.get(job_id).kind].scope)


def _wake_and_show(requeued: RequeuedJob) -> JobModel:
    wake_ups = services().store.wake_ups
    if requeued.encoder is not None:
        wake_ups.send(requeued.job.lane, requeued.encoder, unfetched=True)
    wake_ups.send_to(Part.SOURCES)
    return JobModel.of(requeued.job, time.time())
