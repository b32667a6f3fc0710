"""`exemplar review`: list the answers of a job, and review them, also by a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import click

from cli.client import Client, Json
from cli.jobs import wait_with_bar
from cli.options import JSON, URL
from cli.show import print_found
from core.errors import ExemplarError
from core.types import DecisionName
from formats.csv_dialect import DELIMITERS
from formats.text_encoding import Utf8Reader, not_utf8

AT_ONCE = 1000
NONE = "-"  # in a CSV: none of the classes
COLUMNS = ("item", "picture", "decision", "label", "confidence", "final label", "reviewed by")

GROUP_COLUMNS = ("size", "tightness", "representative", "suggested", "items")
FEW = 12  # items of a group that a table lists

Verdict = Mapping[str, Any]


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--decision", type=click.Choice(list(DecisionName)), help="Only answers with this decision.")
@click.option("--with-label", "label", metavar="LABEL", help="Only answers whose final label is this one.")
@click.option("--min-confidence", type=click.FloatRange(0, 1), help="Only answers at least as confident.")
@click.option("--max-confidence", type=click.FloatRange(0, 1), help="Only answers at most as confident.")
@click.option(
    "--reviewed/--unreviewed", default=None, help="Only answers that are reviewed, or that are not."
)
@click.option("--accept", is_flag=True, help="Accept these answers as they stand.")
@click.option("--set", "right", metavar="LABEL", help="Give these answers this label.")
@click.option("--none", is_flag=True, help="Say of these answers that the pictures show none of the classes.")
@click.option("--undo", is_flag=True, help="Undo the reviews of these answers.")
@click.option(
    "--from",
    "table",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"Review by a CSV with the columns item and label; {NONE} means none of the classes, empty nothing.",
)
@click.option("--groups", is_flag=True, help="Group the answers without a label by how similar they are.")
@JSON
@URL
def review(job_id: str, as_json: bool, url: str, table: Path | None, groups: bool, **options: Any) -> None:
    """List the answers of a job, or review them: all that the options select, or those of a CSV."""
    client, path = Client(url), f"/v1/jobs/{job_id}"
    if groups:
        if table is not None or any(value not in (None, False) for value in options.values()):
            raise click.UsageError("expected --groups without other options")
        _print_groups(client, path, as_json=as_json)
        return
    chosen = [name for name in ("accept", "right", "none", "undo") if options[name]]
    wanted = {
        name: options[name]
        for name in ("decision", "label", "min_confidence", "max_confidence", "reviewed")
        if options[name] is not None
    }
    if len(chosen) + (table is not None) > 1:
        raise click.UsageError("expected one of --accept, --set, --none, --undo and --from")
    if table is not None:
        done = _by_table(client, path, table)
    elif chosen == ["undo"]:
        items = [one["item"] for one in _answers(client, path, {**wanted, "reviewed": True})]
        done = sum(
            client.call("POST", f"{path}/unreview", json={"items": part}).json()["reviewed"]
            for part in _parts(items)
        )
    elif chosen:
        verdict: Verdict = {"accepted": True} if options["accept"] else {"label": options["right"]}
        done = client.call("POST", f"{path}/review", json={"where": wanted, **verdict}).json()["reviewed"]
    else:
        found = list(_answers(client, path, wanted))
        print_found(found, COLUMNS, [_cells(one) for one in found], as_json=as_json)
        return
    click.echo(f"{done} reviews undone" if chosen == ["undo"] else f"{done} answers reviewed", err=as_json)
    if as_json:
        click.echo(f'{{"reviewed": {done}}}')


def _print_groups(client: Client, path: str, *, as_json: bool) -> None:
    """Print the groups of the items without a label, largest and tightest first."""
    job = wait_with_bar(client, client.call("POST", f"{path}/groups", json={}).json())
    found = list(client.results(job))
    failed = next((one["error"] for one in found if one["status"] == "failed"), None)
    if failed is not None:
        raise ExemplarError(failed["code"], failed["detail"])
    rows = [
        (
            one["size"],
            f"{one['tightness']:.2f}",
            one["representative"],
            " ".join(map(str, one["suggested"])),
            _few(one["items"]),
        )
        for one in found
    ]
    print_found(found, GROUP_COLUMNS, rows, as_json=as_json)


def _few(items: list[int]) -> str:
    more = f" and {len(items) - FEW} more" if len(items) > FEW else ""
    return " ".join(map(str, items[:FEW])) + more


def _answers(client: Client, path: str, wanted: Mapping[str, Any]) -> Iterator[Json]:
    cursor: str | None = None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = client.call("GET", f"{path}/results", params={"limit": AT_ONCE, **wanted, **more}).json()
        yield from (one for one in page["items"] if "decision" in one)
        if page["next_cursor"] in (None, cursor):  # the second: the job is still running
            return
        cursor = page["next_cursor"]


def _by_table(client: Client, path: str, table: Path) -> int:
    """Review what a CSV says, the items of one label together; return how many."""
    verdicts: dict[str, list[int]] = {}
    rows = _rows(table)
    if not {"item", "label"} <= set(rows.fieldnames or ()):
        raise ExemplarError(
            "manifest_invalid", f"{table}: expected the columns item and label, got {rows.fieldnames}"
        )
    for row in rows:
        label = (row["label"] or "").strip()
        if not label:
            continue
        if not (row["item"] or "").strip().isdigit():
            raise ExemplarError(
                "manifest_invalid",
                f"{table}, line {rows.line_num}: expected the number of an item, got {row['item']!r}",
            )
        verdicts.setdefault(label, []).append(int(row["item"]))
    done = 0
    for label, items in verdicts.items():
        verdict = {"label": None if label == NONE else label}
        for part in _parts(items):
            done += client.call("POST", f"{path}/review", json={"items": part, **verdict}).json()["reviewed"]
    return done


def _rows(table: Path) -> csv.DictReader[str]:
    """Return the rows of a CSV as spreadsheets write it: by `,`, `;` or tabs, in UTF-8 or UTF-16."""
    with table.open("rb") as file:
        content = b"".join(iter(Utf8Reader(file).read, b""))
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ExemplarError("manifest_invalid", f"{table}: {not_utf8(content, error)}") from error
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    rows = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter)
    rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or ()]
    return rows


def _parts(items: list[int]) -> Iterator[list[int]]:
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))


def _cells(one: Json) -> list[object]:
    return [
        one["item"],
        one["custom_id"],
        one["decision"],
        one["label"],
        f"{one['confidence']:.2f}",
        one["final_label"],
        one["review"]["by"] if one["reviewed"] else "",
    ]
