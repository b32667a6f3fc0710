"""Migration of the record's tables to this version."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from core.errors import ExemplarError
from store.database import Database

HEAD = "0024"
SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 7_220_411_017  # an arbitrary number for the advisory lock of migrations


def ensure_schema(database: Database) -> None:
    """Apply every missing migration; safe to call from several processes at once.

    Raises `record_too_new` if a newer version has migrated the record, `record_encoding_invalid`, and
    `record_forbidden` if the tables cannot be created.
    """
    _check_encoding(database)
    if found_revision(database) != HEAD:
        _migrate(database)


def check_schema(database: Database) -> None:
    """Raise `record_not_migrated` unless the tables are at this version's migration."""
    found = found_revision(database)
    if found != HEAD:
        raise ExemplarError(
            "record_not_migrated", f"expected the record at migration {HEAD}, got {found or 'none'}"
        )


def _check_encoding(database: Database) -> None:
    if database.is_sqlite:
        return
    with database.read() as connection:
        encoding = connection.execute(text("SHOW server_encoding")).scalar()
    if encoding != "UTF8":
        raise ExemplarError(
            "record_encoding_invalid",
            f"expected a database with the encoding UTF8, got {encoding}, which cannot hold every label; "
            "create one with CREATE DATABASE exemplar ENCODING 'UTF8' TEMPLATE template0",
        )


def found_revision(database: Database) -> str | None:
    """Return the migration that the tables are at; None before the first."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(database: Database) -> None:
    from alembic import command  # noqa: PLC0415 - takes 0.3 s that only a first start needs to pay
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.write() as connection:
        if not database.is_sqlite:  # on SQLite the write transaction is lock enough
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise ExemplarError(
                "record_too_new", f"a newer version of exemplar made this record: {error}; upgrade exemplar"
            ) from error
