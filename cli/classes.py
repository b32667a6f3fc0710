"""`exemplar classes`: create and list the classes of a collection."""

from __future__ import annotations

import click

from cli.client import Client
from cli.options import COLLECTION, JSON, URL
from cli.show import print_found, print_json
from core.types import ClassKind


@click.group()
def classes() -> None:
    """Create classes from their names, and list them."""


@classes.command()
@click.argument("labels", nargs=-1, required=True)
@COLLECTION
@click.option("--negative", is_flag=True, help="Create negative classes: pictures of them are unknown.")
@JSON
@URL
def add(labels: tuple[str, ...], collection: str, negative: bool, as_json: bool, url: str) -> None:
    """Create classes without pictures; if the collection has prompts, they answer immediately."""
    client = Client(url)
    kind = ClassKind.NEGATIVE if negative else ClassKind.NORMAL
    for label in labels:
        body = {"label": label, "kind": kind.value}
        made = client.call("POST", f"/v1/collections/{collection}/classes", json=body).json()
        print_json(made) if as_json else click.echo(f"created {label}")


@classes.command("list")
@COLLECTION
@JSON
@URL
def list_(collection: str, as_json: bool, url: str) -> None:
    """List classes with their counts."""
    found = list(Client(url).pages(f"/v1/collections/{collection}/classes"))
    rows = [(one["label"], one["kind"], one["supports"]) for one in found]
    print_found(found, ("label", "kind", "supports"), rows, as_json=as_json)
