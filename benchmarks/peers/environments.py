"""A virtual environment of its own for each peer, made once, outside the repository, from locked versions.

environments/NAME.in says what is asked for; NAME.txt, which is installed, is made of it by `uv pip compile
--no-annotate --no-header --python-version 3.11 NAME.in -o NAME.txt`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LOCKS = Path(__file__).parent / "environments"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "exemplar-benchmarks" / "peers"
MOST_S = 1800.0
VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


class NotInstalledError(Exception):
    """A peer cannot be installed here; says why."""


def python_of(name: str, cache: Path = CACHE) -> Path:
    """Return the interpreter of a peer's environment, which is made if it is not there.

    Raises NotInstalledError.
    """
    lock = LOCKS / f"{name}.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = cache.resolve() / f"{name}-{digest}-{sys.implementation.cache_tag}"
    python, complete = folder / "bin" / "python", folder / "complete"
    if complete.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for command in _commands(folder, python, lock):
        _run(name, command)
    complete.touch()
    return python


def versions_in(python: Path | str, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of packages of an environment."""
    command = [str(python), "-c", VERSIONS, *packages]
    found: dict[str, str] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def _commands(folder: Path, python: Path, lock: Path) -> list[list[str]]:
    beside = Path(sys.executable).parent / "uv"
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "-r", str(lock)]
        return [[sys.executable, "-m", "venv", str(folder)], install]
    return [
        [uv, "venv", "-q", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "-q", "--no-deps", "--python", str(python), "-r", str(lock)],
    ]


def _run(name: str, command: list[str]) -> None:
    try:
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=MOST_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"{name} was not installed: {error}") from error
    if ran.returncode:
        lines = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
        raise NotInstalledError(f"{name} was not installed: {' '.join(lines)[:500]}")
