"""Bringing the record's tables to the shape that this version needs."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from store.database import Database

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 7_220_411_017  # any number that is ours alone: two processes that migrate take turns


def migrate(database: Database) -> None:
    """Apply every migration that is missing; safe to call from several processes at once."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    with database.write() as connection:
        if not database.is_sqlite:  # on SQLite the write transaction is lock enough
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
