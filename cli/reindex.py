"""`exemplar reindex`: change a collection's encoder without downtime."""

from __future__ import annotations

import time

import click

from cli.client import Client, Json
from cli.groups import Group
from cli.options import COLLECTION_ARGUMENT, JSON, SERVICE
from cli.progress import wait_with_bar
from cli.show import print_json, print_rows
from cli.which_collection import which_collection
from core.collections import Labels
from core.errors import ExemplarError

READY_S = 30.0  # that a switch waits for recent enrolments to be embedded
PAUSE_S = 0.5
SHOWN = 10


@click.group(cls=Group)
def reindex() -> None:
    """Embed a collection with a second encoder, compare the two, switch, and switch back."""


@reindex.command()
@COLLECTION_ARGUMENT
@click.option("--encoder", required=True, metavar="SPEC", help="An encoder that the service offers.")
@SERVICE
def start(collection: str | None, encoder: str, client: Client) -> None:
    """Embed the stored pictures with another encoder; answers do not change yet."""
    path = _path(which_collection(client, collection))
    job = client.call("POST", path, json={"encoder": encoder}).json()
    wait_with_bar(client, job, "embedding")
    _print_status(client.call("GET", path).json())


@reindex.command()
@COLLECTION_ARGUMENT
@JSON
@SERVICE
def show(collection: str | None, as_json: bool, client: Client) -> None:
    """Show the progress, and the supports without a vector of the other encoder."""
    found = client.call("GET", _path(which_collection(client, collection))).json()
    print_json(found) if as_json else _print_status(found)


@reindex.command()
@COLLECTION_ARGUMENT
@JSON
@SERVICE
def compare(collection: str | None, as_json: bool, client: Client) -> None:
    """Show the reports of both encoders, and the answers that would change."""
    name = which_collection(client, collection)
    several = client.call("GET", f"/v1/collections/{name}").json()["labels"] == Labels.MANY
    found = client.made(f"{_path(name)}/comparison{'/labels' if several else ''}").json()
    if as_json:
        print_json(found)
    elif several:
        _print_labels(found)
    else:
        _print_comparison(found)


def label_rows(found: Json) -> list[tuple[object, ...]]:
    """Return the lines of a comparison of several labels a picture."""
    sides = found["report"], found["other_report"]
    rows: list[tuple[object, ...]] = [("encoder", found["encoder"], found["other"])]
    rows += [(name, *(side[name] for side in sides)) for name in ("judged", "rule_used")]
    averages = [side["average"] or {} for side in sides]
    names = (("mAP", "map"), ("micro f1", "micro_f1"), ("macro f1", "macro_f1"), ("ECE", "ece"))
    return [*rows, *((shown, *(one.get(name) for one in averages)) for shown, name in names)]


def _print_labels(found: Json) -> None:
    print_rows(("", "active", "secondary"), label_rows(found))
    for note in found["notes"]:
        click.echo(note)


def _print_comparison(found: Json) -> None:
    sides = found["report"], found["other_report"]
    rows: list[tuple[object, ...]] = [("encoder", found["encoder"], found["other"])]
    rows += [(name, *(side[name] for side in sides)) for name in ("judged", "accuracy", "rule_used")]
    rows += [
        ("macro f1", *(None if side["macro_avg"] is None else side["macro_avg"]["f1"] for side in sides))
    ]
    print_rows(("", "active", "secondary"), rows)
    for note in found["notes"]:
        click.echo(note)
    changed = found["changed"]
    click.echo(
        f"\n{changed['total']} of {found['compared']} answers would change: "
        f"{found['corrected']} become right, {found['broken']} become wrong"
    )
    if changed["total"]:
        lines = [
            (one["support_id"], one["label"], one["named"], one["other_named"]) for one in changed["items"]
        ]
        print_rows(("support", "class", "named now", "named then"), lines[:SHOWN])


@reindex.command()
@COLLECTION_ARGUMENT
@click.option("--leave-out", is_flag=True, help="Switch although supports lack the new vector; skip those.")
@SERVICE
def switch(collection: str | None, leave_out: bool, client: Client) -> None:
    """Make the collection answer with the other encoder."""
    _switch(client, collection, "switch", leave_out=leave_out)


@reindex.command()
@COLLECTION_ARGUMENT
@click.option("--leave-out", is_flag=True, help="Switch although supports lack the old vector; skip those.")
@SERVICE
def back(collection: str | None, leave_out: bool, client: Client) -> None:
    """Make the collection answer with the encoder it had before the switch."""
    _switch(client, collection, "back", leave_out=leave_out)


@reindex.command()
@COLLECTION_ARGUMENT
@SERVICE
def forget(collection: str | None, client: Client) -> None:
    """Delete the vectors of the inactive encoder."""
    name = which_collection(client, collection)
    client.call("DELETE", _path(name))
    click.echo(f"{name} has vectors of one encoder only")


def _switch(client: Client, collection: str | None, way: str, *, leave_out: bool) -> None:
    path = f"{_path(which_collection(client, collection))}/{way}"
    until = time.monotonic() + READY_S
    while True:
        try:
            _print_status(client.call("POST", path, json={"leave_out": leave_out}).json())
        except ExemplarError as error:
            if error.code != "reindex_unready" or time.monotonic() > until:
                raise
            time.sleep(PAUSE_S)
        else:
            return


def _path(collection: str) -> str:
    return f"/v1/collections/{collection}/reindex"


def _print_status(found: Json) -> None:
    click.echo(
        f"{found['collection']} answers with {found['encoder']}; {found['other']} has embedded "
        f"{found['embedded']} of {found['supports']} supports" + (" so far" if found["working"] else "")
    )
    if found["missing"] and not found["working"]:
        rows = [(one["support_id"], one["label"], one["external_id"]) for one in found["missing"][:SHOWN]]
        print_rows(("not seen", "class", "external id"), rows)
