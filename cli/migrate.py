"""`exemplar migrate`: bring the record's tables to this version, as every process does at its start."""

from __future__ import annotations

import click

from core.settings import read_settings


@click.command()
def migrate() -> None:
    """Bring the record's tables to the shape of this version; every process does so at its start."""
    from store.migrate import HEAD, ensure_schema  # noqa: PLC0415 - other commands need none of it
    from store.store import open_store  # noqa: PLC0415

    ensure_schema(open_store(read_settings()).database)
    click.echo(f"the record has the tables of version {HEAD}")
