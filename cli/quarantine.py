"""`exemplar quarantine`: see what contributors enrolled and what it would do; accept or refuse it."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click

from cli.client import Client, Json
from cli.confirm import YES, confirm
from cli.groups import Group
from cli.options import COLLECTION, JSON, SERVICE, given
from cli.show import print_found, print_json, print_rows
from cli.which_collection import which_collection

COLUMNS = ("id", "class", "key", "external id", "came")
SHOWN = 10
IDS = click.argument("ids", metavar="[ID]...", nargs=-1, type=click.IntRange(1))
KEY = click.option("--key", metavar="ID", help="Only those of the key with this id.")
LABEL = click.option("--label", help="Only those with this label.")


@click.group(cls=Group)
def quarantine() -> None:
    """See what contributors enrolled and its effect; accept or refuse it."""


@quarantine.command("list")
@COLLECTION
@KEY
@LABEL
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most to list.")
@JSON
@SERVICE
def list_(
    *, collection: str | None, key: str | None, label: str | None, limit: int, as_json: bool, client: Client
) -> None:
    """List contributed pictures that wait for a decision."""
    path = _path(client, collection)
    found = list(islice(client.pages(path, **given({"key": key, "label": label})), limit))
    print_found(found, COLUMNS, [_cells(one) for one in found], as_json=as_json, whole=("id",))


@quarantine.command()
@COLLECTION
@KEY
@LABEL
@JSON
@SERVICE
def effect(
    *, collection: str | None, key: str | None, label: str | None, as_json: bool, client: Client
) -> None:
    """Show accuracy on the collection's own examples as it is, and with what was contributed."""
    path = f"{_path(client, collection)}/effect"
    found = client.made(path, **given({"key": key, "label": label})).json()
    if as_json:
        print_json(found)
        return
    rows = [
        ("as it is", found["judged"], found["before"]),
        ("with them", found["judged"], found["after"]),
        ("they themselves", found["added_judged"], found["added_accuracy"]),
    ]
    print_rows((f"{found['added']} contributions", "judged", "accuracy"), rows)
    suspects = found["suspects"]
    if suspects["total"]:
        click.echo(f"\n{suspects['total']} look like another class:")
        lines = [(one["id"], one["label"], one["looks_like"]) for one in suspects["items"][:SHOWN]]
        print_rows(("id", "class", "looks like"), lines)


def _decision(how: str, help_: str) -> None:
    @quarantine.command(how, help=help_)
    @IDS
    @COLLECTION
    @KEY
    @LABEL
    @YES
    @SERVICE
    def decide(
        ids: tuple[int, ...], collection: str | None, *, yes: bool, client: Client, **which: str | None
    ) -> None:
        _decide(client, collection, how, {"ids": list(ids) or None, **which}, yes=yes)


_WHICH = "those named, or all of a key or a label, or all."
_decision("accept", f"Make contributed pictures examples: {_WHICH}")
_decision("refuse", f"Refuse contributed pictures, which deletes them: {_WHICH}")


def _decide(client: Client, collection: str | None, how: str, which: dict[str, Any], *, yes: bool) -> None:
    path = _path(client, collection)
    said = given(which)
    what = f"{len(said['ids'])} contributions" if "ids" in said else "every contribution that waits"
    named = "".join(f", of {name} {said[name]}" for name in ("key", "label") if name in said)
    confirm(f"{how.capitalize()} {what}{named}?", yes=yes)
    decided = 0
    while True:
        made = client.call("POST", f"{path}/{how}", json=said).json()
        decided += made["decided"]
        if not made["decided"] or not made["waiting"]:
            break
    left = f"; {made['waiting']} still wait" if made["waiting"] else ""
    click.echo(f"{'accepted' if how == 'accept' else 'refused'} {decided}{left}")


def _path(client: Client, collection: str | None) -> str:
    return f"/v1/collections/{which_collection(client, collection)}/quarantine"


def _cells(one: Json) -> list[object]:
    label = one["label"] if one["labels"] is None else ", ".join(one["labels"])
    came = one["created_at"][:16].replace("T", " ")
    return [one["id"], label, f"{one['key_name']} ({one['key']})", one["external_id"], came]
