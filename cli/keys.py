"""`exemplar keys`: create, list and revoke API keys."""

from __future__ import annotations

import os
import shlex
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cli.command_name import command_name
from cli.groups import Group
from cli.options import DATA, JSON
from cli.show import print_found
from core.errors import ExemplarError
from core.labels import check_slug
from core.settings import read_settings
from store.migrate import ensure_schema
from store.record.keys import DAY_S, Key, Keys, Scope, default_scopes
from store.store import open_store


@click.group(cls=Group)
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="A scope of the key (repeatable). Default: admin, or with --collection all scopes but admin.",
)
@click.option(
    "--collection",
    "-c",
    "collections",
    multiple=True,
    help="Restrict the key to this collection (repeatable).",
)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Days until the key expires.")
@click.option("--if-none", is_flag=True, help="Do nothing if there is a key that can be used.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=0,
    help="Wait up to so many seconds for the record to answer.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the key to this file, which only its owner can read, instead of printing it.",
)
@DATA
def create(
    *,
    name: str,
    scopes: tuple[str, ...],
    collections: tuple[str, ...],
    days: float | None,
    if_none: bool,
    wait_s: float,
    out: Path | None,
    data: Path | None,
) -> None:
    """Create a key and print it; it cannot be shown again. From the first key on, every call needs one."""
    found = _keys(data, wait_s=wait_s)
    was_open = not found.any_active()
    if if_none and not was_open:
        click.echo("there is a key already; no other was created", err=True)
        return
    made = found.create(
        name,
        [Scope(scope) for scope in scopes] or default_scopes(collections),
        collections=[check_slug(collection) for collection in collections] or None,
        lives_s=None if days is None else days * DAY_S,
    )
    if out is None:
        click.echo(made)  # alone on standard output, for scripts
        click.echo("The key is shown only now; give it to commands and programs as EXEMPLAR_KEY.", err=True)
    else:
        _write_private(out, made)
        click.echo(f"The key is in {out}; give it to commands and programs as EXEMPLAR_KEY.", err=True)
    if was_open:
        where = "" if data is None else f" --data {shlex.quote(str(data))}"
        click.echo(
            "From now on this service needs a key for every call, from this machine too; the page asks for "
            f"it. To go back: {command_name()} keys revoke {made.split('_')[1]}{where}",
            err=True,
        )


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{text}\n")


@keys.command("list")
@JSON
@DATA
def list_(*, as_json: bool, data: Path | None) -> None:
    """List keys, without their secrets."""
    found = [_shown(key) for key in _keys(data).page()]
    rows = [
        (
            one["id"],
            one["name"],
            ", ".join(one["scopes"]),
            "all" if one["collections"] is None else ", ".join(one["collections"]),
            _moment(one["created_at"]),
            _state(one),
        )
        for one in found
    ]
    columns = ("id", "name", "scopes", "collections", "made", "state")
    print_found(found, columns, rows, as_json=as_json, whole=("id",))


@keys.command()
@click.argument("key_id")
@DATA
def revoke(key_id: str, data: Path | None) -> None:
    """Revoke a key immediately."""
    found = _keys(data)
    found.revoke(key_id)
    click.echo(f"revoked {key_id}" + ("" if found.any_active() else "; no key is left, so none is needed"))


def _shown(key: Key) -> dict[str, Any]:
    collections = None if key.collections is None else sorted(key.collections)
    return asdict(key) | {"scopes": sorted(key.scopes), "collections": collections}


def _state(shown: dict[str, Any]) -> str:
    if shown["revoked"]:
        return "revoked"
    if shown["expires_at"] is None:
        return "active"
    return f"{'until' if shown['expires_at'] > time.time() else 'expired'} {_moment(shown['expires_at'])}"


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _keys(data: Path | None, *, wait_s: float = 0.0) -> Keys:
    store = open_store(read_settings(data=data))
    end = time.monotonic() + wait_s
    while True:
        try:
            ensure_schema(store.database)
        except ExemplarError as error:
            if not error.retry or time.monotonic() >= end:
                raise
            time.sleep(0.5)
        else:
            return store.keys
