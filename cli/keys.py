"""`exemplar keys`: who may call the API."""

from __future__ import annotations

import time

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.settings import read_settings
from store.keys import Keys, Scope
from store.migrate import ensure_schema
from store.store import open_store


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    default=[Scope.ADMIN.value],
    show_default=True,
    help="What the key allows; may be given again.",
)
def create(name: str, scopes: tuple[str, ...]) -> None:
    """Make a key and print it; it cannot be shown again."""
    click.echo(_keys().create(name, [Scope(scope) for scope in scopes]))


@keys.command("list")
def list_() -> None:
    """List keys, without their secrets."""
    table = Table("id", "name", "scopes", "made", "state")
    for key in _keys().page():
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(key.created_at))
        state = "revoked" if key.revoked else "living"
        table.add_row(key.id, escape(key.name), ", ".join(sorted(key.scopes)), made, state)
    Console().print(table)


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """End a key at once."""
    _keys().revoke(key_id)


def _keys() -> Keys:
    store = open_store(read_settings())
    ensure_schema(store.database)
    return store.keys
