"""`exemplar classes`: the labels of a collection at a running service."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.client import Client
from cli.collections import URL
from core.types import ClassKind

COLLECTION = click.option("-c", "--collection", required=True, help="The collection of the classes.")


@click.group()
def classes() -> None:
    """Make classes of their names alone, and list them."""


@classes.command()
@click.argument("labels", nargs=-1, required=True)
@COLLECTION
@click.option("--negative", is_flag=True, help="They stand for what must not be named.")
@URL
def add(labels: tuple[str, ...], collection: str, negative: bool, url: str | None) -> None:
    """Make classes without pictures; where the collection has prompts they answer at once."""
    client = Client(url)
    kind = ClassKind.NEGATIVE if negative else ClassKind.NORMAL
    for label in labels:
        body = {"label": label, "kind": kind.value}
        client.call("POST", f"/v1/collections/{collection}/classes", json=body)
        click.echo(f"made {label}")


@classes.command("list")
@COLLECTION
@URL
def list_(collection: str, url: str | None) -> None:
    """List classes with their counts."""
    table = Table("label", "kind", "supports")
    for one in Client(url).pages(f"/v1/collections/{collection}/classes"):
        table.add_row(escape(one["label"]), one["kind"], str(one["supports"]))
    Console().print(table)
