"""The record's connections: an unresponsive client blocks no other."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.default import DefaultDialect

from core.errors import ExemplarError
from store.database import POSTGRES_GUARDS, Database

pytestmark = pytest.mark.processes

LOCK = text("SELECT pg_advisory_xact_lock(4711)")


def test_locks_of_a_client_that_is_gone_are_freed(
    postgres_record: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(POSTGRES_GUARDS, "idle_in_transaction_session_timeout", "500ms")
    gone, other = Database(postgres_record), Database(postgres_record)

    def lock() -> float:
        begun = time.monotonic()
        with other.write() as connection:
            connection.execute(LOCK)
        return time.monotonic() - begun

    with pytest.raises(ExemplarError) as caught, ThreadPoolExecutor(1) as pool, gone.write() as connection:
        connection.execute(LOCK)  # and then it does nothing more
        assert 0.3 < pool.submit(lock).result() < 10
    assert caught.value.code == "record_unavailable"
    for database in (gone, other):
        database.close()


def test_connection_in_use_is_closed_once_it_is_returned(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PGDialect_psycopg, "do_close", DefaultDialect.do_close)  # other tests' are kept
    with database.read() as connection:
        ours = connection.connection.dbapi_connection
        database.close()
        assert connection.execute(text("SELECT 1")).scalar() == 1
    assert ours is not None
    with pytest.raises((psycopg.OperationalError, sqlite3.ProgrammingError), match="closed"):
        ours.cursor().execute("SELECT 1")


def test_new_file_is_waited_for_while_another_connection_writes_to_it(tmp_path: Path) -> None:
    path = tmp_path / "record.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO t VALUES (1)")
        release = threading.Timer(0.2, lambda: other.execute("COMMIT"))
        release.start()
        database = Database(f"sqlite:///{path}")
        with database.read() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        database.close()
        release.join()
