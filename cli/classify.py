"""`exemplar classify`: classify picture files."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlencode

import click

from cli.client import Json
from cli.file_names import shown_name
from cli.left_out import LeftOut
from cli.local import service_client
from cli.options import AS_OF, COLLECTION, LOCAL, URL, given
from cli.pictures import find_pictures, none_found
from cli.show import print_json, print_rows
from cli.where import WHERE, where_of
from cli.which_collection import which_collection
from cli.work import run_jobs
from core.collections import DecisionName, LabelDecision
from core.results import has_several
from formats.csv import COLUMNS, cells_of, csv_line

SHOWN = 3  # supports of each answer
UNSURE = "?"


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@COLLECTION
@click.option("--json", "form", flag_value="json", help="Print one JSON object per picture.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@WHERE
@AS_OF
@LOCAL
@URL
def classify(
    *,
    paths: tuple[Path, ...],
    collection: str | None,
    form: str | None,
    wheres: tuple[str, ...],
    version: str | None,
    local: Path | None,
    url: str,
) -> None:
    """Classify pictures."""
    left_out, where = LeftOut(), where_of(wheres)
    files = [picture.path for path in paths for picture in find_pictures(path, left_out)]
    if not files:
        raise none_found(f"in {', '.join(map(shown_name, paths))}", left_out)
    with service_client(url, local) as client:
        name = which_collection(client, collection)
        query = urlencode(given({"where": where or None, "version": version}))
        path = f"/v1/collections/{name}/classify" + (f"?{query}" if query else "")
        results = list(run_jobs(client, path, [(None, files)], "classifying"))
    if form == "json":
        for file, result in results:
            print_json({"file": shown_name(file), **result})
        if left_out:
            print_json(left_out.as_json())
    elif form == "csv":
        click.echo(csv_line(["file", *COLUMNS]), nl=False)
        for file, result in results:
            click.echo(csv_line([shown_name(file), *cells_of(result)]), nl=False)
    else:
        _print_table(results)
    if left_out:
        click.echo(str(left_out), err=True)
    sys.exit(1 if any(result["status"] == "failed" for _, result in results) else 0)


def _print_table(results: list[tuple[Path, Json]]) -> None:
    rows = [[shown_name(file), *_cells(result)] for file, result in results]
    print_rows(("file", "label", "confidence", "because of"), rows)


def _cells(result: Json) -> list[str]:
    if result["status"] == "failed":
        return ["failed", "", result["error"]["detail"]]
    best = result["labels"][:1] if has_several(result) else [result]
    because = ", ".join(
        f"{one['label']} {_shown(one)} ({one['share']:.0%})"
        for answer in best
        for one in answer["explanation"]["supports"][:SHOWN]
    )
    return [_decision_text(result), _confidence_text(result), because]


def _shown(support: Json) -> str:
    return " ".join(filter(None, (f"#{support['support_id']}", support.get("external_id"))))


def _confidence_text(result: Json) -> str:
    if has_several(result):
        return ", ".join(f"{one['probability']:.2f}" for one in result["labels"])
    return f"{result['confidence']:.2f}" if result["label"] else ""


def _decision_text(result: Json) -> str:
    if has_several(result):
        given = [
            f"{one['label']}{UNSURE if one['decision'] == LabelDecision.UNSURE else ''}"
            for one in result["labels"]
        ]
        return ", ".join(given) or f"({result['decision']})"
    if result["decision"] == DecisionName.KNOWN:
        return str(result["label"])
    return " ".join(filter(None, (result["label"], f"({result['decision']})")))
