"""`exemplar collections`: create, list, change, rename and delete collections."""

from __future__ import annotations

from typing import Any

import click

from cli.client import Client, Json
from cli.confirm import YES, confirm
from cli.groups import Group
from cli.options import (
    COLLECTION_ARGUMENT,
    JSON,
    SERVICE,
    VIEWS,
    given,
    index_of,
    quality_of,
    takes_index,
    takes_quality,
    takes_rule,
)
from cli.show import print_found, print_json
from cli.which_collection import which_collection
from core.collections import Labels
from core.labels import check_slug

_COUNTED = (("classes", "class", "es"), ("supports", "picture", "s"))
COLUMNS = ("name", "encoder", "rule", "index", "views", "labels", "prompts", "classes", "supports")


@click.group(cls=Group)
def collections() -> None:
    """Create, list, change, rename and delete collections."""


@collections.command()
@click.argument("collection")
@click.option("--encoder", metavar="SPEC", help="An encoder that the service offers; default its first.")
@VIEWS
@click.option(
    "--labels",
    type=click.Choice([one.value for one in Labels]),
    help="How many labels a picture has: exactly one (default), or many.",
)
@click.option(
    "--prompts",
    multiple=True,
    help="Prompts for zero-shot classes (text encoders only): best7, all80, or a sentence with {} (repeat "
    "for more).",
)
@takes_index
@takes_quality
@takes_rule
@JSON
@SERVICE
def create(
    *,
    collection: str,
    encoder: str | None,
    views: str | None,
    labels: str | None,
    prompts: tuple[str, ...],
    as_json: bool,
    client: Client,
    **chosen: object,
) -> None:
    """Create a collection; views, labels and prompts are fixed, the encoder can be changed by a reindex."""
    named = {
        "name": collection,
        "encoder": encoder,
        "views": views,
        "labels": labels,
        "prompts": _prompts(prompts),
        "index": index_of(chosen),
        "quality": quality_of(chosen),
        "rule": given(chosen),
    }
    _print_collection(client.call("POST", "/v1/collections", json=given(named)).json(), as_json=as_json)


@collections.command("list")
@JSON
@SERVICE
def list_(as_json: bool, client: Client) -> None:
    """List collections with their counts."""
    found = list(client.pages("/v1/collections"))
    print_found(found, COLUMNS, [_cells(one) for one in found], as_json=as_json)


@collections.command()
@COLLECTION_ARGUMENT
@takes_index
@takes_quality
@takes_rule
@JSON
@SERVICE
def change(collection: str | None, as_json: bool, client: Client, **chosen: object) -> None:
    """Change the rule, index or quality settings of a collection; options not given stay unchanged."""
    body = given({"index": index_of(chosen), "quality": quality_of(chosen), "rule": given(chosen)})
    path = f"/v1/collections/{which_collection(client, collection)}"
    _print_collection(client.call("PATCH", path, json=body).json(), as_json=as_json)


@collections.command()
@click.argument("collection")
@click.argument("name")
@SERVICE
def rename(collection: str, name: str, client: Client) -> None:
    """Rename a collection; its jobs and its API keys follow."""
    path = f"/v1/collections/{check_slug(collection)}"
    client.call("PATCH", path, json={"name": check_slug(name)})
    click.echo(f"{collection} is now {name}")


@collections.command()
@click.argument("names", metavar="COLLECTION...", nargs=-1, required=True)
@YES
@SERVICE
def delete(names: tuple[str, ...], yes: bool, client: Client) -> None:
    """Delete collections with their classes and pictures; it cannot be undone."""
    found = [client.call("GET", f"/v1/collections/{check_slug(name)}").json() for name in names]
    confirm(f"Delete {', '.join(map(_counted, found))}?", yes=yes)
    for one in found:
        client.call("DELETE", f"/v1/collections/{one['name']}")
        click.echo(f"deleted {_counted(one)}")


def _counted(one: Json) -> str:
    counts = (f"{one[what]:,} {word}{'' if one[what] == 1 else ending}" for what, word, ending in _COUNTED)
    return f"{one['name']} ({', '.join(counts)})"


def _cells(one: Json) -> list[object]:
    prompts = one["prompts"] or ""
    shown = prompts if isinstance(prompts, str) else f"{len(prompts)} own"
    return [
        one["name"],
        one["encoder"],
        one["rule"]["name"],
        one["index"]["name"],
        one["views"],
        one["labels"],
        shown,
        one["classes"],
        one["supports"],
    ]


def _print_collection(collection: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(collection)
        return
    rule = ", ".join(f"{name} {value}" for name, value in collection["rule"].items())
    index = ", ".join(f"{name} {value}" for name, value in given(collection["index"]).items())
    measured = collection["index_measured"]
    found = "" if measured is None else f" (recall@10 {measured['recall_at_10']:.3f})"
    click.echo(
        f"{collection['name']}: {collection['encoder']}, views {collection['views']}, labels "
        f"{collection['labels']}; rule {rule}; index {index}{found}"
    )


def _prompts(prompts: tuple[str, ...]) -> str | list[str] | None:
    if len(prompts) == 1 and "{}" not in prompts[0]:
        return prompts[0]
    return list(prompts) or None
