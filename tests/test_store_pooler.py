"""The record through PgBouncer in transaction mode, where each transaction may meet another connection."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from missing import skip_or_fail
from records import postgres_database

from benchmarks.pooler import ask, pgbouncer

pytestmark = pytest.mark.processes


def test_no_request_fails_through_pgbouncer(postgres_url: str, tmp_path: Path) -> None:
    if shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin") is None:
        skip_or_fail("pgbouncer is not installed")
    with postgres_database(postgres_url) as url, pgbouncer(url) as through:
        statuses, took = ask(through, tmp_path, requests=200, callers=16)
    assert sum(statuses.values()) == len(took) == 200
    assert [status for status in statuses if status >= 400] == []
