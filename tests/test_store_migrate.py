"""The record's tables, on both databases."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from core.errors import ExemplarError
from store.database import Database
from store.migrate import HEAD, SCRIPTS, ensure_schema
from store.tables import metadata

MIGRATE = """
import sys
from store.database import Database
from store.migrate import ensure_schema
ensure_schema(Database(sys.argv[1]))
"""


def test_head_is_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrated_record_is_what_the_tables_say(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(bare_url: str) -> None:
    database = Database(bare_url)
    ensure_schema(database)
    ensure_schema(database)
    database.close()


def test_several_processes_may_migrate_at_once(bare_url: str) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", MIGRATE, bare_url]) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4


def test_record_of_a_newer_version_is_refused(bare_url: str) -> None:
    database = Database(bare_url)
    ensure_schema(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ExemplarError) as caught:
        ensure_schema(database)
    assert caught.value.code == "record_too_new"
    database.close()


def test_record_that_does_not_answer_is_told_as_such() -> None:
    database = Database("postgresql+psycopg://127.0.0.1:9/nothing?connect_timeout=2")
    with pytest.raises(ExemplarError) as caught:
        ensure_schema(database)
    assert (caught.value.code, caught.value.retry) == ("record_unavailable", True)


def test_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute(text("INSERT INTO worker VALUES ('w', 'o', '[]', 'cpu', 0)"))
        raise ZeroDivisionError
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM worker")).scalar() == 0
