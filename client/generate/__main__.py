"""Writes the generated modules of the client from the service's API: `make generate`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api.app import create_app
from client.generate.blocking import TWINS, blocking
from client.generate.calls import calls_source
from client.generate.models import models_source
from core.settings import read_settings
from store.store import open_store

PACKAGE = Path(__file__).parents[1] / "exemplar_client"


def document() -> dict[str, Any]:
    """Return the OpenAPI document that this checkout's API serves."""
    with tempfile.TemporaryDirectory(prefix="exemplar-document-") as data:
        settings = read_settings({"EXEMPLAR_DATA": data})
        app = create_app(settings, open_store(settings), needs_key=False)
        served: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
        return served


def sources() -> Iterator[tuple[str, str]]:
    """Yield the name and the source of each generated module."""
    api = document()
    yield "models.py", _formatted(models_source(api))
    calls = _formatted(calls_source(api))
    yield "async_calls.py", calls
    for name in TWINS:
        source = calls if name == "calls" else (PACKAGE / f"async_{name}.py").read_text()
        yield f"{name}.py", _formatted(blocking(source))


def _formatted(source: str) -> str:
    ruff = str(Path(sys.executable).parent / "ruff")
    config = (
        "--config",
        str(PACKAGE.parents[1] / "pyproject.toml"),
        "--stdin-filename",
        str(PACKAGE / "_.py"),
    )
    fixes = ("check", "-q", "--fix", "--select", "I,F401,F541,D209")
    for command in (fixes, ("format",)):
        source = subprocess.run(
            [ruff, *command, *config, "-"], input=source, capture_output=True, text=True, check=True
        ).stdout
    return source


if __name__ == "__main__":
    for name, source in list(sources()):
        (PACKAGE / name).write_text(source)
