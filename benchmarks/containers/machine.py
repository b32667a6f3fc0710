"""The machine: Debian's packages for containers, and commands run on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

PACKAGES = (
    *(
        "podman",
        "buildah",
        "podman-compose",
        "runc",
        "netavark",
        "aardvark-dns",
        "fuse-overlayfs",
        "catatonit",
    ),
    "debootstrap",
)
# crun refuses hybrid cgroups, and a raised limit of open files where it may not raise one
CONFIGURATION = '[containers]\ndefault_ulimits = []\n[engine]\nruntime = "runc"\n'


def run(*command: str, folder: Path | None = None, timeout_s: float = 3000, **environment: str) -> str:
    """Run a command at low priority and return its output; an error shows its end."""
    done = subprocess.run(
        ["nice", "-n", "10", *command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
    return done.stdout


def install(folder: Path) -> None:
    """Install what is missing, and use settings of our own for podman."""
    if os.getuid() != 0:
        raise SystemExit("run `make containers` as root: it installs packages and makes networks")
    if not all(map(shutil.which, ("podman", "buildah", "podman-compose", "runc", "debootstrap"))):
        run("apt-get", "update", "-qq")
        run(
            "apt-get",
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            *PACKAGES,
            DEBIAN_FRONTEND="noninteractive",
        )
    file = folder / "containers.conf"
    file.write_text(CONFIGURATION)
    os.environ["CONTAINERS_CONF"] = str(file)


def mebibytes(text: str) -> float:
    """Return the MiB of a size as podman prints it: `93.2MB`, `1.2GB`, `812kB`."""
    units: Mapping[str, float] = {"GB": 1e9, "MB": 1e6, "kB": 1e3, "B": 1}
    unit = next(name for name in units if text.endswith(name))
    return float(text.removesuffix(unit)) * units[unit] / 2**20
