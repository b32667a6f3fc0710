"""The record's connections: an unresponsive client blocks no other."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

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
