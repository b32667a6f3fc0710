"""`exemplar collections`: sets of classes at a running service."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.client import Client
from cli.numbers import Number
from core.types import IndexName, Metric, RuleName, Views

Option = Any

URL = click.option("--url", help="The service; default EXEMPLAR_URL or http://127.0.0.1:8000.")
_RULE: tuple[Option, ...] = (
    click.option("--rule", "name", type=click.Choice([one.value for one in RuleName]), help="Default auto."),
    click.option("--metric", type=click.Choice([one.value for one in Metric]), help="Default cosine."),
    click.option(
        "--false-reject",
        type=Number(0, 0.5),
        help="The share of known pictures that may be called unknown; default 0.05.",
    ),
    click.option(
        "--certainty",
        type=Number(0, 1),
        help="A best class less probable is ambiguous; default 0.5.",
    ),
    click.option(
        "--set-level",
        type=Number(0.5, 0.99),
        help="How often the candidate set is to hold the true class; default 0.9.",
    ),
)


_INDEX: tuple[Option, ...] = (
    click.option(
        "--index",
        type=click.Choice([one.value for one in IndexName]),
        help="How supports are searched; default flat.",
    ),
    click.option("--probes", type=click.IntRange(1, 65_536), help="Lists looked into, of ivf and rabitq."),
    click.option(
        "--refine",
        type=click.IntRange(1, 1_000),
        help="Candidates compared exactly for each neighbour, of ivf and rabitq.",
    ),
)


def _takes_index(command: Option) -> Option:
    for option in reversed(_INDEX):
        command = option(command)
    return command


def _takes_rule(command: Option) -> Option:
    for option in reversed(_RULE):
        command = option(command)
    return command


@click.group()
def collections() -> None:
    """Make, list and change collections at a running service."""


@collections.command()
@click.argument("collection")
@click.option("--encoder", help="One of those the service offers; default its first.")
@click.option(
    "--views",
    type=click.Choice([one.value for one in Views]),
    help="How often a picture is looked at: once (default), with its mirror image, or both also cropped.",
)
@click.option(
    "--prompts",
    multiple=True,
    help="Let an encoder that reads know classes by their names: best7, all80, or a sentence with {} (again "
    "for more).",
)
@_takes_index
@_takes_rule
@URL
def create(
    collection: str,
    encoder: str | None,
    views: str | None,
    prompts: tuple[str, ...],
    index: str | None,
    probes: int | None,
    refine: int | None,
    url: str | None,
    **rule: object,
) -> None:
    """Make a collection; its encoder, views and prompts stay as they are made."""
    named = {
        "name": collection,
        "encoder": encoder,
        "views": views,
        "prompts": _prompts(prompts),
        "index": _index(index, probes, refine),
        "rule": _given(rule),
    }
    _tell(Client(url).call("POST", "/v1/collections", json=_given(named)).json())


@collections.command("list")
@URL
def list_(url: str | None) -> None:
    """List collections with their counts."""
    table = Table("name", "encoder", "rule", "index", "views", "prompts", "classes", "supports")
    for one in Client(url).pages("/v1/collections"):
        prompts = one["prompts"] or ""
        table.add_row(
            one["name"],
            escape(one["encoder"]),
            one["rule"]["name"],
            one["index"]["name"],
            one["views"],
            escape(prompts if isinstance(prompts, str) else f"{len(prompts)} own"),
            str(one["classes"]),
            str(one["supports"]),
        )
    Console().print(table)


@collections.command()
@click.argument("collection")
@_takes_index
@_takes_rule
@URL
def change(
    collection: str,
    index: str | None,
    probes: int | None,
    refine: int | None,
    url: str | None,
    **rule: object,
) -> None:
    """Change the rule or the index of a collection; what is not named stays as it is."""
    changes = _given({"rule": _given(rule), "index": _index(index, probes, refine)})
    _tell(Client(url).call("PATCH", f"/v1/collections/{collection}", json=changes).json())


def _tell(collection: dict[str, Any]) -> None:
    rule = ", ".join(f"{name} {value}" for name, value in collection["rule"].items())
    index = ", ".join(f"{name} {value}" for name, value in _given(collection["index"]).items())
    measured = collection["index_measured"]
    found = "" if measured is None else f" (recall@10 {measured['recall_at_10']:.3f})"
    click.echo(
        f"{collection['name']}: {collection['encoder']}, views {collection['views']}; rule {rule}; "
        f"index {index}{found}"
    )


def _index(name: str | None, probes: int | None, refine: int | None) -> dict[str, Any] | None:
    if name is None and (probes is not None or refine is not None):
        raise click.UsageError("--probes and --refine go with --index ivf or --index rabitq")
    return None if name is None else _given({"name": name, "probes": probes, "refine": refine})


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _prompts(prompts: tuple[str, ...]) -> str | list[str] | None:
    if len(prompts) == 1 and "{}" not in prompts[0]:
        return prompts[0]
    return list(prompts) or None
