"""`exemplar classes`: create, list, rename, merge and delete the classes of a collection."""

from __future__ import annotations

import click

from cli.client import Client, Json
from cli.confirm import YES, confirm
from cli.groups import Group
from cli.options import COLLECTION, JSON, SERVICE
from cli.show import print_found, print_json
from cli.which_collection import which_collection
from core.collections import ClassKind
from exemplar_client.requests import in_path


@click.group(cls=Group)
def classes() -> None:
    """Create classes from their names, list, rename, merge and delete them."""


@classes.command()
@click.argument("labels", nargs=-1, required=True)
@COLLECTION
@click.option("--negative", is_flag=True, help="Create negative classes: pictures of them are unknown.")
@JSON
@SERVICE
def add(
    labels: tuple[str, ...], collection: str | None, negative: bool, as_json: bool, client: Client
) -> None:
    """Create classes without pictures; if the collection has prompts, they answer immediately."""
    name = which_collection(client, collection)
    kind = ClassKind.NEGATIVE if negative else ClassKind.NORMAL
    for label in labels:
        body = {"label": label, "kind": kind.value}
        made = client.call("POST", f"/v1/collections/{name}/classes", json=body).json()
        print_json(made) if as_json else click.echo(f"created {label}")


@classes.command("list")
@COLLECTION
@JSON
@SERVICE
def list_(collection: str | None, as_json: bool, client: Client) -> None:
    """List classes with their counts."""
    found = list(client.pages(f"/v1/collections/{which_collection(client, collection)}/classes"))
    rows = [(one["label"], one["kind"], one["supports"]) for one in found]
    print_found(found, ("label", "kind", "supports"), rows, as_json=as_json)


@classes.command()
@click.argument("label")
@click.argument("new_label")
@COLLECTION
@JSON
@SERVICE
def rename(label: str, new_label: str, collection: str | None, as_json: bool, client: Client) -> None:
    """Give a class another name; its pictures stay."""
    path = _path(which_collection(client, collection), label)
    renamed = client.call("PATCH", path, json={"label": new_label}).json()
    print_json(renamed) if as_json else click.echo(f"{label} is now {_counted(renamed)}")


@classes.command()
@click.argument("labels", metavar="LABEL...", nargs=-1, required=True)
@click.option("--into", required=True, metavar="LABEL", help="The class that takes their pictures.")
@COLLECTION
@YES
@JSON
@SERVICE
def merge(
    *, labels: tuple[str, ...], into: str, collection: str | None, yes: bool, as_json: bool, client: Client
) -> None:
    """Merge classes into another one, which takes their pictures; `versions restore` undoes it."""
    name = which_collection(client, collection)
    found = [_get(client, name, label) for label in labels]
    confirm(f"Merge {_all(found)} into {into} of {name}?", yes=yes)
    merged = client.call("POST", f"{_path(name, into)}/merge", json={"from": list(labels)}).json()
    print_json(merged) if as_json else click.echo(f"merged {', '.join(labels)} into {_counted(merged)}")


@classes.command()
@click.argument("labels", metavar="LABEL...", nargs=-1, required=True)
@COLLECTION
@YES
@SERVICE
def delete(labels: tuple[str, ...], collection: str | None, yes: bool, client: Client) -> None:
    """Delete classes with their pictures; `versions restore` undoes it."""
    name = which_collection(client, collection)
    found = [_get(client, name, label) for label in labels]
    confirm(f"Delete {_all(found)} from {name}?", yes=yes)
    for one in found:
        client.call("DELETE", _path(name, one["label"]))
        click.echo(f"deleted {_counted(one)}")


def _get(client: Client, collection: str, label: str) -> Json:
    found: Json = client.call("GET", _path(collection, label)).json()
    return found


def _path(collection: str, label: str) -> str:
    return f"/v1/collections/{collection}/classes/{in_path(label)}"


def _all(found: list[Json]) -> str:
    return ", ".join(map(_counted, found))


def _counted(one: Json) -> str:
    pictures = one["supports"]
    return f"{one['label']} ({pictures:,} picture{'' if pictures == 1 else 's'})"
