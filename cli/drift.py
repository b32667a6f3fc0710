"""`exemplar drift`: how the answers of a collection change over time."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cli.client import Client, Json
from cli.options import COLLECTION, JSON, SERVICE
from cli.show import print_json, print_rows
from cli.which_collection import which_collection

COLUMNS = (
    "from (UTC)",
    "answers",
    "unknown",
    "novel",
    "accuracy, est.",
    "reviewed",
    "corrected",
    "labels moved",
)


@click.command()
@COLLECTION
@click.option("--since", metavar="TIME", help="Begin, such as 2026-11-01; 30 days ago by default.")
@click.option("--until", metavar="TIME", help="End; now by default.")
@click.option(
    "--step", type=click.Choice(["hour", "day"]), default="day", show_default=True, help="What a line is for."
)
@click.option("--caller", metavar="KEY", help="Only answers for the key with this id.")
@JSON
@SERVICE
def drift(
    collection: str | None,
    since: str | None,
    until: str | None,
    step: str,
    caller: str | None,
    *,
    as_json: bool,
    client: Client,
) -> None:
    """Show how the answers of a collection change over time, and how accurate they may be.

    No answer needs to be reviewed for this; reviews correct the estimate. "Labels moved" is the distance of
    the mix of labels from that of the examples, 0 to 1.
    """
    name = which_collection(client, collection)
    asked = {"since": since, "until": until, "step": step, "caller": caller}
    query = {key: value for key, value in asked.items() if value is not None}
    found: Json = client.call("GET", f"/v1/collections/{name}/drift", params=query).json()
    if as_json:
        print_json(found)
        return
    if not found["periods"]:
        click.echo(f"{name}: nothing was answered in this time")
        return
    print_rows(COLUMNS, [_cells(one, step) for one in found["periods"]], whole=COLUMNS[:1])
    click.echo("\n".join(_lines(name, found)))


def _cells(period: Json, step: str) -> list[object]:
    begin = period["begin"][: 10 if step == "day" else 16].replace("T", " ")
    corrected = period["corrected_accuracy"]
    return [
        begin,
        period["answers"],
        _percent(period["unknown_share"]),
        _percent(period["novel_share"]),
        _percent(period["estimated_accuracy"]),
        period["reviewed"],
        "" if corrected is None else _interval(corrected),
        "" if period["label_distance"] is None else f"{period['label_distance']:.2f}",
    ]


def _lines(name: str, found: Json) -> Iterator[str]:
    whole = found["whole"]
    yield (
        f"{name}: {whole['answers']} answers, {_percent(whole['unknown_share'])} unknown, "
        f"{_percent(whole['novel_share'])} novel (of pictures like the examples {found['false_reject']:.0%})"
    )
    if whole["estimated_accuracy"] is not None:
        corrected = whole["corrected_accuracy"]
        yield f"estimated accuracy of the labels given: {_percent(whole['estimated_accuracy'])}" + (
            "" if corrected is None else f", corrected by {whole['reviewed']} reviews: {_interval(corrected)}"
        )
    if len(found["callers"]) > 1:
        yield "by caller: " + ", ".join(
            f"{one['caller']} {one['answers']} ({_percent(one['unknown_share'])} unknown)"
            for one in found["callers"]
        )


def _interval(estimate: Json) -> str:
    return f"{estimate['value']:.0%} ({estimate['low']:.0%} to {estimate['high']:.0%})"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
