"""Faults of containers while pictures are being classified."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.common import picture
from benchmarks.containers.compose import Project, until
from benchmarks.containers.trial import Outcome, Service, judged

PICTURES = 400
UNDER_WAY = 40


def kill_worker(project: Project) -> None:
    """Kill the container of one of three workers with signal 9; podman starts it again."""
    project.signal("worker", "kill", "--signal", "KILL", number=2)
    project.signal("worker", "start", number=2)


def restart_redis(project: Project) -> None:
    """Stop the queue's container at once, and start it again."""
    project.signal("redis", "restart", "--time", "0")


def restart_postgres(project: Project) -> None:
    """Stop the record's container, and start it again."""
    project.signal("postgres", "restart", "--time", "10")


def kill_api(project: Project) -> None:
    """Kill the API's container with signal 9."""
    project.signal("api", "kill", "--signal", "KILL")
    project.signal("api", "start")


def remove_all(project: Project) -> None:
    """Remove every container, and make new ones on the same volumes."""
    project.down()
    project.up(workers=3)


FAULTS: dict[str, Callable[[Project], None]] = {
    "kill -9 of a worker's container": kill_worker,
    "kill -9 of the API's container": kill_api,
    "restart of Redis": restart_redis,
    "restart of PostgreSQL": restart_postgres,
    "all containers removed and made again": remove_all,
}


def play(project: Project, service: Service, name: str, first: int) -> Outcome:
    """Classify pictures, do harm once some are done, and judge what became of them."""
    supports, start = service.supports(), time.monotonic()
    job = service.submit({f"{n}.png": picture(first + n) for n in range(PICTURES)})
    service.await_some(job, UNDER_WAY)
    state, done = service.progress(job)
    FAULTS[name](project)
    until(project.is_ready, f"{project.name} ready after {name}")
    service.end_of(job)
    outcome = judged(name, service, job, PICTURES, time.monotonic() - start, f"at {done} done")
    if service.supports() != supports:
        raise RuntimeError(f"{supports} supports before {name} ({state}), {service.supports()} afterwards")
    return outcome
