"""Waiting for a job as the caller prefers (RFC 7240), and the answer before it ends."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from flask import Response, request

from api.links import link
from api.models import JobModel
from api.routes import as_json
from api.services import services
from core.jobs import FINAL, Job

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,20})\"?(?=$|[,;\s])", re.IGNORECASE)


def wait_s(usual: float = 0.0) -> float:
    """Return the caller's preferred wait within our limit; `usual` if none is given."""
    match = _WAIT.search(request.headers.get("Prefer", ""))
    return min(float(match[1]) if match else usual, services().settings.max_wait_s)


@contextmanager
def going_first() -> Iterator[None]:
    """Hold bulk work on this machine up, for a moment, if the caller waits."""
    with services().precedence.taken() if wait_s() > 0 else nullcontext():
        yield


def has_ended(job: Job, usual: float) -> bool:
    """Wait for a job as the caller prefers, or as usual; return whether it has ended."""
    waited_s = wait_s(usual)
    return job.state in FINAL or (waited_s > 0 and services().watch.wait(job.id, waited_s))


def accepted(job: Job) -> Response:
    """Return the 202 of a stored job, with the location to follow it."""
    response = as_json(JobModel.of(job, time.time()), 202)
    response.headers["Location"] = link(f"/v1/jobs/{job.id}")
    response.headers["Retry-After"] = "1"
    return response
