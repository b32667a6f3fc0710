"""The generated parts of the client are those of this API; run as a module it writes them."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from client import AsyncExemplar, Exemplar
from client.generate_blocking import TWINS, blocking
from client.generate_calls import calls_source
from client.generate_models import models_source
from core.settings import Settings
from store.store import open_store

pytestmark = pytest.mark.processes

FOLDER = Path(__file__).parents[1] / "client"


def document() -> dict[str, Any]:
    settings = Settings(data=Path(tempfile.mkdtemp(prefix="exemplar-document-")))
    app = create_app(settings, open_store(settings), needs_key=False)
    return app.test_client().get("/openapi.json").get_json()


def formatted(source: str) -> str:
    ruff = [str(Path(sys.executable).parent / "ruff")]
    config = ["--config", str(FOLDER.parent / "pyproject.toml"), "--stdin-filename", "made.py"]
    fixed = subprocess.run(
        [*ruff, "check", "-q", "--fix", "--select", "I,F401,F541,D209", *config, "-"],
        input=source, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return subprocess.run(
        [*ruff, "format", *config, "-"], input=fixed.stdout, capture_output=True, text=True, check=True
    ).stdout


def sources() -> Iterator[tuple[str, str]]:
    """Each generated file with what should be in it."""
    yield "models.py", formatted(models_source(document()))
    calls = formatted(calls_source(document()))
    yield "async_calls.py", calls
    for name in TWINS:
        source = calls if name == "calls" else (FOLDER / f"async_{name}.py").read_text()
        yield f"{name}.py", formatted(blocking(source))


def test_generated_files_are_those_of_this_api() -> None:
    stale = [name for name, source in sources() if (FOLDER / name).read_text() != source]
    assert not stale, "run: make generate"


@pytest.mark.parametrize("client", [Exemplar, AsyncExemplar])
def test_every_call_of_the_api_is_a_method(client: type) -> None:
    operations = {one["operationId"] for methods in document()["paths"].values() for one in methods.values()}
    assert operations - {name for name, _ in inspect.getmembers(client, callable)} == set()


if __name__ == "__main__":
    for name, source in list(sources()):
        (FOLDER / name).write_text(source)
