"""Generated calls, valid and invalid, against the full API: no failure, and answers match the document."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from core.settings import Settings
from store.store import open_store

pytestmark = pytest.mark.processes

EXAMPLES = 10  # per call; `make fuzz` makes more, against the running service


def test_made_up_calls_break_nothing(tmp_path: Path, sqlite_template: Path, redis_url: str) -> None:
    import schemathesis

    from benchmarks.fuzz import fuzz, names_of

    shutil.copy(sqlite_template, tmp_path / "record.sqlite")
    settings = Settings(data=tmp_path, redis_url=redis_url, max_wait_s=0.05)
    app = create_app(settings, open_store(settings), needs_key=False)
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as client:
        schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
        found = fuzz(schema, lambda: names_of(client), examples=EXAMPLES, seed_=1)
    assert found.wrong == []
    assert found.calls > 200 and found.foreign > 200
