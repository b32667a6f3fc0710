"""`exemplar collections`: create, list and change collections."""

from __future__ import annotations

from typing import Any

import click

from cli.client import Client, Json
from cli.options import JSON, URL, VIEWS, given, index_of, takes_index, takes_rule
from cli.show import print_found, print_json

COLUMNS = ("name", "encoder", "rule", "index", "views", "prompts", "classes", "supports")


@click.group()
def collections() -> None:
    """Create, list and change collections."""


@collections.command()
@click.argument("collection")
@click.option("--encoder", metavar="SPEC", help="An encoder that the service offers; default its first.")
@VIEWS
@click.option(
    "--prompts",
    multiple=True,
    help="Prompts for zero-shot classes (text encoders only): best7, all80, or a sentence with {} (repeat "
    "for more).",
)
@takes_index
@takes_rule
@JSON
@URL
def create(
    *,
    collection: str,
    encoder: str | None,
    views: str | None,
    prompts: tuple[str, ...],
    as_json: bool,
    url: str,
    **chosen: object,
) -> None:
    """Create a collection; views and prompts are fixed, the encoder can be changed by a reindex."""
    named = {
        "name": collection,
        "encoder": encoder,
        "views": views,
        "prompts": _prompts(prompts),
        "index": index_of(chosen),
        "rule": given(chosen),
    }
    _print_collection(Client(url).call("POST", "/v1/collections", json=given(named)).json(), as_json=as_json)


@collections.command("list")
@JSON
@URL
def list_(as_json: bool, url: str) -> None:
    """List collections with their counts."""
    found = list(Client(url).pages("/v1/collections"))
    print_found(found, COLUMNS, [_cells(one) for one in found], as_json=as_json)


@collections.command()
@click.argument("collection")
@takes_index
@takes_rule
@JSON
@URL
def change(collection: str, as_json: bool, url: str, **chosen: object) -> None:
    """Change the rule or the index of a collection; options that are not given stay unchanged."""
    body = given({"index": index_of(chosen), "rule": given(chosen)})
    _print_collection(
        Client(url).call("PATCH", f"/v1/collections/{collection}", json=body).json(), as_json=as_json
    )


def _cells(one: Json) -> list[object]:
    prompts = one["prompts"] or ""
    shown = prompts if isinstance(prompts, str) else f"{len(prompts)} own"
    return [
        one["name"],
        one["encoder"],
        one["rule"]["name"],
        one["index"]["name"],
        one["views"],
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
        f"{collection['name']}: {collection['encoder']}, views {collection['views']}; rule {rule}; "
        f"index {index}{found}"
    )


def _prompts(prompts: tuple[str, ...]) -> str | list[str] | None:
    if len(prompts) == 1 and "{}" not in prompts[0]:
        return prompts[0]
    return list(prompts) or None
