"""The compose file with passwords of one's own, made as docker-compose.secrets.yml says."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.containers.compose import ROOT, Project
from benchmarks.containers.machine import run
from benchmarks.containers.moves import classified
from benchmarks.containers.trial import Outcome, Service

FILE = "docker-compose.secrets.yml"
SECRETS = ROOT / "secrets"


def with_own_secrets(_folder: Path, _pictures: int) -> list[Outcome]:
    """Make the files with the commands of the compose file, start for the first time, and classify."""
    if SECRETS.exists():
        raise RuntimeError(f"{SECRETS} is there; the scenario makes it and removes it")
    project = Project("exemplar-secrets", FILE)
    try:
        run("bash", "-euc", "\n".join(documented()), folder=ROOT)
        project.up()
        project.await_ready()
        used = project.exec("api", "sh", "-c", 'cat "$EXEMPLAR_DATABASE_URL_FILE"')
        if used != (SECRETS / "database_url").read_text():
            raise RuntimeError("the API does not use the passwords of the files")
        service = Service(project)
        service.enrol()
        return [classified(project, service, "passwords of one's own", 70_000)]
    finally:
        project.down(volumes=True)
        shutil.rmtree(SECRETS, ignore_errors=True)


def documented() -> list[str]:
    """Return the commands in the head of the compose file that make the passwords."""
    indented = [
        line[2:].strip() for line in (ROOT / FILE).read_text().splitlines() if line.startswith("#   ")
    ]
    return [line for line in indented if not line.startswith("docker compose")]
