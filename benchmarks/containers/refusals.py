"""Databases that the service cannot use: what its containers say, and how often they start again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.containers.compose import Project, until
from benchmarks.containers.machine import run
from benchmarks.containers.trial import Outcome

GUEST = "guest"  # a user, its password, and the database that it may not create tables in
WATCHED_S = 60.0
CREATE = (  # each in a database
    ("exemplar", f"CREATE ROLE {GUEST} LOGIN PASSWORD '{GUEST}'"),
    ("exemplar", f"CREATE DATABASE {GUEST}"),
    ("exemplar", "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"),
    (GUEST, "REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
)
COMMANDS = {"worker": ("exemplar", "worker"), "api": ("exemplar", "api", "--host", "0.0.0.0")}
EXPECTED = {"ascii": "record_encoding_invalid", GUEST: "record_forbidden"}


def refused(_folder: Path, _pictures: int) -> list[Outcome]:
    """Start API and worker with each database; a line of the log says why they do not work."""
    project = Project("exemplar-refused")
    try:
        project.up_some("redis", "postgres")
        project.await_postgres()
        for name, statement in CREATE:
            project.exec("postgres", "psql", "-U", "exemplar", "-qc", statement, name)
        for service in COMMANDS:
            for database, code in EXPECTED.items():
                print(f"{service}, {code}: {watched(project, service, database, code)}", flush=True)
        return []
    finally:
        project.down(volumes=True)


def watched(project: Project, service: str, database: str, code: str) -> str:
    """Run a service that starts again whenever it ends, and return what it said in a minute."""
    with started(project, service, database) as name:
        until(lambda: code in log_of(name), f"{code} in the log of {name}; {log_of(name)}")
        time.sleep(WATCHED_S)
        starts = 1 + int(run("podman", "inspect", "--format", "{{.RestartCount}}", name))
        log = log_of(name)
        said = [line for line in log.splitlines() if code in line]
        if "Traceback" in log or len(said) > starts:
            raise RuntimeError(log)
        return f"{starts} starts in {WATCHED_S:.0f} s, each saying {said[-1]}"


@contextmanager
def started(project: Project, service: str, database: str) -> Iterator[str]:
    """Run a container of a service with this database, and remove it afterwards."""
    name = f"{project.name}-{service}-{database}"
    url = f"postgresql+psycopg://{GUEST}:{GUEST}@postgres/{database}"
    given = (f"-eEXEMPLAR_DATABASE_URL={url}", "-eEXEMPLAR_REDIS_URL_FILE=/run/exemplar/redis_url")
    volume = ("-v", f"{project.name}_secrets:/run/exemplar:ro", "--network", f"{project.name}_default")
    image = f"localhost/exemplar-{service}:{project.tag}"
    run(
        "podman",
        "run",
        "-d",
        "--restart",
        "always",
        "--name",
        name,
        *volume,
        *given,
        image,
        *COMMANDS[service],
    )
    try:
        yield name
    finally:
        run("podman", "rm", "-f", "-v", "-t", "10", name)


def log_of(name: str) -> str:
    """Return what a container has printed, over all its starts."""
    return run("sh", "-c", f"podman logs {name} 2>&1")
