"""The record's tables, on both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from enrolling import vector
from records import postgres_database
from sqlalchemy import make_url, text

from core.changes import ClassChange
from core.collections import ClassKind, Labels, Metric, Rule, RuleName, Views
from core.errors import ExemplarError
from core.jobs import Lane
from core.settings import Settings
from core.specs import REMOVED
from core.vectors import pack_vector, unpack_vector
from store.database import Database
from store.migrate import HEAD, SCRIPTS, ensure_schema
from store.store import open_store
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


FIRST_RECORD = """
INSERT INTO collection VALUES (1, 'sports', '{encoder}', '{"name": "prototype", "metric": "mse"}', 2, 1000.5);
INSERT INTO class (id, collection_id, label, kind, seq, created_at) VALUES (1, 1, 'bmx', 'normal', 1, 1000.5);
INSERT INTO support VALUES (1, 1, 1, 2, :vector, 'aa', 'bb', NULL, '{}', 1000.5);
INSERT INTO job VALUES
    ('j', 1, 'sports', 'classify', 'interactive', 'queued', 1, 0, 0, 5, 0, 2, 1000.5, NULL, NULL);
INSERT INTO chunk (id, job_id, encoder, lane, state, first_item, size, attempts, queued_at, inputs)
    VALUES (1, 'j', '{encoder}', 'interactive', 'queued', 0, 1, 0, 1000.5, '[{"index": 0, "picture": "cc"}]')
"""


EIGHTH_RECORD = """
INSERT INTO collection (id, name, encoder, rule, version, created_at, slot)
    VALUES (1, 'sports', '{encoder}', '{}', 2, 1000.5, 1);
INSERT INTO support (id, collection_id, seq, vector_1, picture, thumbnail, metadata, created_at)
    VALUES (1, 1, 2, :vector, 'aa', 'bb', '{}', 1000.5);
INSERT INTO reindex VALUES (1, 'other', 'j', 3, true);
INSERT INTO job (
    id, collection_name, kind, lane, state, total, done, failed, top, min_version, submitted_version,
    created_at
) VALUES ('j', 'sports', 'classify', 'bulk', 'queued', 0, 0, 0, 5, 0, 2, 1000.5);
INSERT INTO source (job_id, encoder, asked, passed, attempts) VALUES ('j', '{encoder}', '{}', 4, 0);
INSERT INTO worker (name, owner, encoders, device, beat_at, figures)
    VALUES ('w', 'w\\:1', '[]', 'cpu', 0, 'up 1')
"""


def test_renamed_columns_keep_what_they_held(bare_url: str) -> None:
    database = record_at("0008", bare_url, EIGHTH_RECORD)
    ensure_schema(database)
    held = (
        ("SELECT active_slot FROM collection", 1),
        ("SELECT position FROM reindex", 3),
        ("SELECT position FROM source", 4),
        ("SELECT metrics FROM worker", "up 1"),
    )
    with database.read() as connection:
        for statement, value in held:
            assert connection.execute(text(statement)).scalar() == value
        packed = connection.execute(text("SELECT vector_b FROM support")).scalar()
    assert np.array_equal(unpack_vector(packed), vector(1))
    database.close()


TENTH_RECORD = """
INSERT INTO collection (id, name, encoder, rule, version, created_at)
    VALUES (1, 'sports', '{encoder}', '{"name": "auto", "metric": "cosine", "set_level": 0.8}', 2, 1000.5)
"""


def test_coverage_of_a_rule_is_kept_under_its_new_name(bare_url: str, tmp_path: Path) -> None:
    record_at("0010", bare_url, TENTH_RECORD).close()
    store = open_store(Settings(data=tmp_path / "data", database_url=bare_url))
    ensure_schema(store.database)
    assert store.collections.get("sports").rule == Rule(coverage=0.8)
    store.database.close()


SEVENTEENTH_RECORD = """
INSERT INTO collection (id, name, encoder, rule, version, created_at, embedded_at)
    VALUES (101, 'sports', '{encoder}', '{"name": "auto", "metric": "cosine"}', 2, 1000.5, 1000.5);
INSERT INTO class (id, collection_id, label, kind, seq, created_at)
    VALUES (101, 101, 'bmx', 'normal', 1, 1000.5), (102, 101, 'noise', 'negative', 1, 1000.5);
INSERT INTO support (id, collection_id, class_id, seq, vector, picture, thumbnail, metadata, created_at)
    VALUES (1, 101, 101, 2, :vector, 'aa', 'bb', '{}', 1000.5)
"""


def test_filled_record_of_one_label_a_picture_stays_so(bare_url: str, tmp_path: Path) -> None:
    record_at("0017", bare_url, SEVENTEENTH_RECORD).close()
    store = open_store(Settings(data=tmp_path / "data", database_url=bare_url))
    ensure_schema(store.database)
    found = store.collections.get("sports")
    assert (found.labels, found.classes, found.supports) == (Labels.ONE, 2, 1)
    changes = store.supports.changes_since(101, 0)
    assert changes is not None
    assert sorted(changes.classes, key=lambda one: one.id) == [
        ClassChange(101, "bmx", ClassKind.NORMAL),
        ClassChange(102, "noise", ClassKind.NEGATIVE),
    ]
    store.collections.create("photos", REMOVED, Rule(), labels=Labels.MANY)
    assert store.classes.add("photos", "animal/dog").label == "animal/dog"
    store.database.close()


@pytest.fixture
def first_record(bare_url: str, tmp_path: Path) -> Settings:
    """A record as created by version 0.1, with a support and a picture that waits."""
    record_at("0001", bare_url, FIRST_RECORD).close()
    return Settings(data=tmp_path / "data", database_url=bare_url)


def record_at(revision: str, url: str, statements: str) -> Database:
    """Open a record with the tables of an earlier revision, filled by statements."""
    database = Database(url)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in statements.replace("{encoder}", REMOVED).split(";"):
            given = {"vector": pack_vector(vector(1))} if ":vector" in statement else {}
            connection.execute(
                text(statement.replace('": ', '"\\: ')), given
            )  # colons of JSON are no parameters
    return database


def test_first_record_opens_with_all_it_held(first_record: Settings) -> None:
    store = open_store(first_record)
    ensure_schema(store.database)
    found = store.collections.get("sports")
    assert found.rule == Rule(RuleName.PROTOTYPE, Metric.MSE)  # with the current defaults
    assert (found.views, found.prompts, found.version, found.supports) == (Views.ONE, None, 2, 1)
    assert np.array_equal(store.supports.changes_since(1, 0).supports[0].vector, vector(1))
    [chunk] = store.chunks.claim("w:1", REMOVED, list(Lane), 8)
    assert (chunk.job_id, chunk.views, chunk.items[0].picture) == ("j", Views.ONE, "cc")
    store.database.close()


def test_rule_of_the_first_record_is_changed_in_part(first_record: Settings) -> None:
    store = open_store(first_record)
    ensure_schema(store.database)
    changed = store.collections.change("sports", {"certainty": 0.6})
    assert changed.rule == Rule(RuleName.PROTOTYPE, Metric.MSE, certainty=0.6)
    store.database.close()


@pytest.mark.processes
def test_several_processes_may_migrate_at_once(bare_url: str) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", MIGRATE, bare_url]) for _ in range(3)]
    assert [process.wait(100) for process in processes] == [0] * 3


def test_record_of_a_newer_version_is_refused(bare_url: str) -> None:
    database = Database(bare_url)
    ensure_schema(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ExemplarError) as caught:
        ensure_schema(database)
    assert caught.value.code == "record_too_new"
    database.close()


def test_unresponsive_record_is_reported() -> None:
    database = Database("postgresql+psycopg://127.0.0.1:9/nothing?connect_timeout=2")
    with pytest.raises(ExemplarError) as caught:
        ensure_schema(database)
    assert (caught.value.code, caught.value.retry) == ("record_unavailable", True)


def test_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO worker (name, owner, encoders, device, beat_at) "
                "VALUES ('w', 'o', '[]', 'cpu', 0)"
            )
        )
        raise ZeroDivisionError
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM worker")).scalar() == 0


@pytest.fixture
def strange_url(postgres_url: str) -> Iterator[Callable[[str], str]]:
    """Creates databases by the end of their CREATE DATABASE."""
    with ExitStack() as made:
        yield lambda options: made.enter_context(postgres_database(postgres_url, options))


@pytest.mark.processes
def test_database_of_another_encoding_is_refused(strange_url: Callable[[str], str]) -> None:
    database = Database(strange_url("ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"))
    with pytest.raises(ExemplarError, match="the encoding UTF8, got SQL_ASCII") as caught:
        ensure_schema(database)
    assert caught.value.code == "record_encoding_invalid"
    database.close()


@pytest.mark.processes
def test_database_without_rights_is_refused_in_one_line(
    strange_url: Callable[[str], str], postgres_url: str
) -> None:
    url, name = strange_url(""), f"guest_{uuid4().hex}"
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False)) as connection:
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'guest'")
    database = Database(make_url(url).set(username=name, password="guest").render_as_string(False))
    try:
        with pytest.raises(ExemplarError, match="permission denied for schema public") as caught:
            ensure_schema(database)
        assert caught.value.code == "record_forbidden" and "\n" not in caught.value.message
    finally:
        database.close()
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"DROP ROLE {name}")
