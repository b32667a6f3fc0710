"""`make containers`: builds the images, runs the compose file, does harm, prints two tables.

Needs root on Debian 12, and 45 GB of disk. ARGS: --no-build uses the images that are there, --only NAME
(repeatable) plays some parts; --pictures N for `tag`; --previous COMMIT is what `upgrade` begins with, by
default the commit before the newest migration.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.containers.compose import Project
from benchmarks.containers.faults import FAULTS, play
from benchmarks.containers.images import TARGETS, build, build_previous
from benchmarks.containers.machine import install
from benchmarks.containers.moves import back_up_and_restore, on_s3, upgraded
from benchmarks.containers.own_secrets import with_own_secrets
from benchmarks.containers.refusals import refused
from benchmarks.containers.stand_ins import base_images
from benchmarks.containers.trial import Outcome, Service, tagged

HEADER = "| scenario | pictures | lost | doubled | failed | s | |\n|---|---|---|---|---|---|---|"


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def main() -> int:
    """Run what is asked for; the exit code is 1 if a picture was lost or doubled."""
    parser = argparse.ArgumentParser(prog="make containers", description=__doc__)
    parser.add_argument("--no-build", action="store_true")
    parser.add_argument("--only", action="append", choices=PLAYS)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--previous", help="the commit to upgrade from")
    asked = parser.parse_args()
    parts = asked.only or list(PLAYS)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="exemplar-containers-") as name:
        folder = Path(name)
        install(folder)
        for image, stands_in in base_images().items():
            say(f"{image}: {'a stand-in from Debian packages' if stands_in else 'pulled'}")
        if not asked.no_build:
            for built in [
                *map(build, TARGETS),
                *(build_previous(asked.previous) if "upgrade" in parts else []),
            ]:
                say(f"{built.name}: {built.megabytes:.0f} MB, built in {built.seconds:.0f} s")
        for part in parts:
            outcomes += list(PLAYS[part](folder, asked.pictures))
    say(HEADER)
    for outcome in outcomes:
        say(outcome.row())
    return 1 if any(outcome.lost or outcome.doubled for outcome in outcomes) else 0


def tag(folder: Path, pictures: int) -> list[Outcome]:
    """Start for the first time, enrol, and tag pictures with the command; print times and memory."""
    project, start = Project("exemplar-tag"), time.monotonic()
    try:
        project.up()
        project.await_ready()
        say(f"first `up` to ready: {time.monotonic() - start:.1f} s")
        say(f"memory idle, MiB: {memory(project)}")
        service = Service(project)
        service.enrol()
        outcome = tagged(service, folder, pictures, project)
        say(f"memory after {pictures} pictures, MiB: {memory(project)}")
        return [outcome]
    finally:
        project.down(volumes=True)


def faults(_folder: Path, _pictures: int) -> list[Outcome]:
    """Do harm to a service with three workers."""
    project = Project("exemplar-faults")
    try:
        project.up(workers=3)
        project.await_ready()
        service = Service(project)
        service.enrol()
        found = [play(project, service, name, 20_000 + 1000 * n) for n, name in enumerate(FAULTS)]
        say(f"memory with three workers, MiB: {memory(project)}")
        return found
    finally:
        project.down(volumes=True)


def memory(project: Project) -> str:
    """Return the memory of each running container."""
    return ", ".join(f"{name} {size:.0f}" for name, size in sorted(project.memory().items()) if size)


PLAYS = {
    "tag": tag,
    "faults": faults,
    "backup": back_up_and_restore,
    "secrets": with_own_secrets,
    "refused": refused,
    "s3": on_s3,
    "upgrade": upgraded,
}

if __name__ == "__main__":
    raise SystemExit(main())
