"""`exemplar classify`: names for picture files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from cli.client import Client, Json, find_pictures
from cli.work import run_jobs
from core.csv import COLUMNS, cells_of, csv_line
from core.errors import ExemplarError
from core.types import DecisionName

SHOWN = 3  # supports of each answer


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("-c", "--collection", required=True, help="The collection to ask.")
@click.option("--json", "form", flag_value="json", help="Print one JSON object a picture.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option("--url", help="The service; default EXEMPLAR_URL or http://127.0.0.1:8000.")
def classify(paths: tuple[Path, ...], collection: str, form: str | None, url: str | None) -> None:
    """Name what is in pictures, by a running service."""
    files = [picture.path for path in paths for picture in find_pictures(path)]
    if not files:
        raise ExemplarError("picture_missing", "expected pictures, found none")
    results = list(
        run_jobs(Client(url), f"/v1/collections/{collection}/classify", [(None, files)], "classifying")
    )
    if form == "json":
        for file, result in results:
            click.echo(json.dumps({"file": str(file), **result}))
    elif form == "csv":
        click.echo(csv_line(["file", *COLUMNS]), nl=False)
        for file, result in results:
            click.echo(csv_line([str(file), *cells_of(result)]), nl=False)
    else:
        _print_table(results)
    sys.exit(1 if any(result["status"] == "failed" for _, result in results) else 0)


def _print_table(results: list[tuple[Path, Json]]) -> None:
    table = Table(Column("file", overflow="fold"), "label", "confidence", "because of")
    for file, result in results:
        if result["status"] == "failed":
            table.add_row(escape(str(file)), "[red]failed[/red]", "", escape(result["error"]["detail"]))
            continue
        because = ", ".join(
            f"{one['label']} #{one['support_id']} ({one['share']:.0%})"
            for one in result["explanation"]["supports"][:SHOWN]
        )
        table.add_row(
            escape(str(file)),
            escape(_said(result)),
            f"{result['confidence']:.2f}" if result["label"] else "",
            escape(because),
        )
    Console().print(table)


def _said(result: Json) -> str:
    if result["decision"] == DecisionName.KNOWN:
        return str(result["label"])
    return " ".join(filter(None, (result["label"], f"({result['decision']})")))
