"""`exemplar reindex`: a collection's change of encoder, without stopping."""

from __future__ import annotations

import time

import click

from cli.client import Client, Json
from cli.options import JSON, URL
from cli.progress import progress_bar
from cli.show import print_json, print_rows
from core.errors import ExemplarError

WAIT = {"Prefer": "wait=30"}
READY_S = 30.0  # that a switch waits for what was enrolled a moment ago
PAUSE_S = 0.5
SHOWN = 10


@click.group()
def reindex() -> None:
    """Embed a collection with another encoder beside its own, compare, switch, and go back."""


@reindex.command()
@click.argument("collection")
@click.option("--encoder", required=True, metavar="SPEC", help="One of those that the service offers.")
@URL
def start(collection: str, encoder: str, url: str) -> None:
    """Embed the kept pictures with another encoder; the collection answers as before."""
    client = Client(url)
    job = client.call("POST", _path(collection), json={"encoder": encoder}).json()
    with progress_bar() as bar:
        task = bar.add_task("embedding", total=None)
        client.wait(job, lambda ready: bar.update(task, completed=ready))
    _tell(client.call("GET", _path(collection)).json())


@reindex.command()
@click.argument("collection")
@JSON
@URL
def show(collection: str, as_json: bool, url: str) -> None:
    """Say how far it has come, and which supports the other encoder has not seen."""
    found = Client(url).call("GET", _path(collection)).json()
    print_json(found) if as_json else _tell(found)


@reindex.command()
@click.argument("collection")
@JSON
@URL
def compare(collection: str, as_json: bool, url: str) -> None:
    """Set both encoders' reports side by side, with the answers that would change."""
    client = Client(url)
    found = _made(client, _path(collection) + "/comparison")
    if as_json:
        print_json(found)
        return
    sides = found["report"], found["other_report"]
    rows: list[tuple[object, ...]] = [("encoder", found["encoder"], found["other"])]
    rows += [(name, *(side[name] for side in sides)) for name in ("judged", "accuracy", "rule_used")]
    rows += [
        ("macro f1", *(None if side["macro_avg"] is None else side["macro_avg"]["f1"] for side in sides))
    ]
    print_rows(("", "answers", "beside"), rows)
    for note in found["notes"]:
        click.echo(note)
    changed = found["changed"]
    click.echo(
        f"\n{changed['total']} of {found['compared']} answers would change: {found['mended']} become right, "
        f"{found['broken']} become wrong"
    )
    if changed["total"]:
        lines = [
            (one["support_id"], one["label"], one["named"], one["other_named"]) for one in changed["items"]
        ]
        print_rows(("support", "class", "named now", "named then"), lines[:SHOWN])


@reindex.command()
@click.argument("collection")
@click.option("--leave-out", is_flag=True, help="Supports that it has not seen may take no part.")
@URL
def switch(collection: str, leave_out: bool, url: str) -> None:
    """Let the collection answer by the other encoder from now on."""
    _switch(Client(url), collection, "switch", leave_out=leave_out)


@reindex.command()
@click.argument("collection")
@click.option("--leave-out", is_flag=True, help="Supports that it has not seen may take no part.")
@URL
def back(collection: str, leave_out: bool, url: str) -> None:
    """Let the collection answer by the encoder that it had before the switch."""
    _switch(Client(url), collection, "back", leave_out=leave_out)


@reindex.command()
@click.argument("collection")
@URL
def forget(collection: str, url: str) -> None:
    """Drop the vectors of the encoder that does not answer."""
    Client(url).call("DELETE", _path(collection))
    click.echo(f"{collection} has vectors of one encoder only")


def _switch(client: Client, collection: str, way: str, *, leave_out: bool) -> None:
    until = time.monotonic() + READY_S
    while True:
        try:
            _tell(client.call("POST", f"{_path(collection)}/{way}", json={"leave_out": leave_out}).json())
        except ExemplarError as error:
            if error.code != "reindex_unready" or time.monotonic() > until:
                raise
            time.sleep(PAUSE_S)
        else:
            return


def _made(client: Client, path: str) -> Json:
    """Get what a job may have to make first."""
    while True:
        response = client.call("GET", path, headers=WAIT)
        found: Json = response.json()
        if response.status_code == 200:
            return found
        client.wait(found)


def _path(collection: str) -> str:
    return f"/v1/collections/{collection}/reindex"


def _tell(found: Json) -> None:
    click.echo(
        f"{found['collection']} answers by {found['encoder']}; {found['other']} has seen {found['embedded']} "
        f"of {found['supports']} supports" + (", and goes on" if found["working"] else "")
    )
    if found["missing"] and not found["working"]:
        rows = [(one["support_id"], one["label"], one["external_id"]) for one in found["missing"][:SHOWN]]
        print_rows(("not seen", "class", "external id"), rows)
