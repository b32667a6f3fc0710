"""`exemplar migrate`: migrate the record's tables; every process also does so at its start."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import DATA
from core.settings import read_settings


@click.command()
@DATA
def migrate(data: Path | None) -> None:
    """Migrate the record's tables to this version; every process also does so at its start."""
    from store.migrate import HEAD, ensure_schema  # noqa: PLC0415 - other commands do not need it
    from store.store import open_store  # noqa: PLC0415

    ensure_schema(open_store(read_settings(data=data)).database)
    click.echo(f"the record is at migration {HEAD}")
