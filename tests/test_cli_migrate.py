"""`exemplar migrate`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import exemplar
from store.migrate import HEAD


def test_migrate_makes_the_tables_and_says_their_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXEMPLAR_DATA", str(tmp_path))
    for _ in range(2):  # the second time there is nothing to do
        result = CliRunner().invoke(exemplar, ["migrate"])
        assert (result.exit_code, HEAD in result.output) == (0, True)
    record = sqlite3.connect(next(tmp_path.glob("*.sqlite")))
    assert record.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,)
    record.close()
