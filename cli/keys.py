"""`exemplar keys`: who may call the API."""

from __future__ import annotations

import time

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.labels import check_slug
from core.settings import read_settings
from store.keys import Key, Keys, Scope
from store.migrate import ensure_schema
from store.store import open_store

DAY_S = 86400.0


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
    help="What it allows; may be given several times. Without it: admin, or with --collection all but admin.",
)
@click.option(
    "--collection",
    "-c",
    "collections",
    multiple=True,
    help="A collection that it is for, and no other; may be given several times.",
)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="How long it lives.")
def create(name: str, scopes: tuple[str, ...], collections: tuple[str, ...], days: float | None) -> None:
    """Make a key and print it; it cannot be shown again."""
    made = _keys().create(
        name,
        [Scope(scope) for scope in scopes] or _usual_scopes(collections),
        collections=[check_slug(collection) for collection in collections] or None,
        lives_s=None if days is None else days * DAY_S,
    )
    click.echo(made)


@keys.command("list")
def list_() -> None:
    """List keys, without their secrets."""
    table = Table("id", "name", "scopes", "collections", "made", "state")
    for key in _keys().page():
        collections = "all" if key.collections is None else ", ".join(sorted(key.collections))
        scopes = ", ".join(sorted(key.scopes))
        table.add_row(key.id, escape(key.name), scopes, collections, _moment(key.created_at), _state(key))
    Console().print(table)


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """End a key at once."""
    _keys().revoke(key_id)


def _usual_scopes(collections: tuple[str, ...]) -> list[Scope]:
    return [Scope.CLASSIFY, Scope.ENROLL] if collections else [Scope.ADMIN]


def _state(key: Key) -> str:
    if key.revoked:
        return "revoked"
    if key.expires_at is None:
        return "living"
    return f"{'until' if key.expires_at > time.time() else 'ended'} {_moment(key.expires_at)}"


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _keys() -> Keys:
    store = open_store(read_settings())
    ensure_schema(store.database)
    return store.keys
