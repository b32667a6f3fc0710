"""The images built from this checkout, and from an earlier commit for trying an upgrade."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.containers.compose import ROOT
from benchmarks.containers.machine import run
from store.migrate import HEAD

LARGE = "worker-gpu"  # a GPU is not needed to build it
RUN = ("api", "worker")
TARGETS = (LARGE, *RUN)  # the one that needs 45 GB of disk for a while comes first
PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class Built:
    """An image: its size, and how long it took to build."""

    name: str
    megabytes: float
    seconds: float


def build(target: str, *, tag: str = "latest", folder: Path = ROOT) -> Built:
    """Build one target; layers and the packages' cache are used again, as Docker does, but for the large one.

    Each layer that is kept for the next build is a copy of its packages, and a third while it is written.
    """
    name, start = f"exemplar-{target}:{tag}", time.monotonic()
    layers = f"--layers={'false' if target == LARGE else 'true'}"
    options = ("--isolation", "chroot", layers, "--format", "docker", "--target", target)
    run("buildah", "bud", *options, "-t", name, ".", folder=folder)
    [found] = json.loads(run("podman", "image", "inspect", f"localhost/{name}"))
    return Built(name, found["Size"] / 1e6, time.monotonic() - start)


def before_the_last_migration() -> str:
    """Return the commit before the one that added the newest migration."""
    added = ("log", "--format=%H", "-1", "--diff-filter=A", "--", f"store/migrations/versions/{HEAD}_*")
    return run("git", *added, folder=ROOT).strip() + "~1"


def build_previous(commit: str | None = None) -> list[Built]:
    """Build images of the sources before the newest migration, with this checkout's packages."""
    commit = commit or before_the_last_migration()
    with tempfile.TemporaryDirectory(prefix="exemplar-previous-") as name:
        folder = Path(name)
        run("sh", "-c", f"git archive {commit} | tar -x -C {folder}", folder=ROOT)
        for file in ("Dockerfile", *(path.name for path in ROOT.glob("requirements-*.lock"))):
            shutil.copy(ROOT / file, folder / file)
        shutil.copytree(ROOT / "deploy/images", folder / "deploy/images", dirs_exist_ok=True)
        (folder / "deploy/images/check.py").write_text("")  # it checks what this version promises
        return [build(target, tag=PREVIOUS, folder=folder) for target in RUN]
