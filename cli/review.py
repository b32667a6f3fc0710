"""`exemplar review`: list the answers of a job, and review them, also by a spreadsheet or another tool."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from cli.client import Client, Json
from cli.options import JSON, SERVICE, given
from cli.review_files import FORMATS, Labels, labels_in, read_labels_of, write_answers
from cli.review_groups import print_groups
from cli.review_sidecars import write_sidecars
from cli.show import print_found, print_json
from core.answer_order import Order
from core.collections import DecisionName
from core.errors import ExemplarError, problem_of
from core.label_sets import split_labels
from core.results import has_several, labels_of
from formats.csv_dialect import DELIMITERS
from formats.text_encoding import read_text

AT_ONCE = 1000
NONE = "-"  # in a CSV: none of the classes
COLUMNS = ("item", "picture", "decision", "label", "confidence", "final label", "reviewed by")
SELECTION = ("decision", "label", "min_confidence", "max_confidence", "reviewed", "automatic", "path")
ACTIONS = {
    "accept": "--accept",
    "right": "--set",
    "none": "--none",
    "undo": "--undo",
    "table": "--from",
    "imported": "--import",
    "exported": "--export",
    "sidecars": "--sidecars",
    "groups": "--groups",
}
SOME_REFUSED = 1

Verdicts = Mapping[tuple[str, ...], Sequence[int]]
"""The items of each label, or of several, empty for none of the classes."""

FILE = click.Path(path_type=Path, dir_okay=False)
READABLE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--decision", type=click.Choice(list(DecisionName)), help="Only answers with this decision.")
@click.option("--with-label", "label", metavar="LABEL", help="Only answers whose final label is this one.")
@click.option("--min-confidence", type=click.FloatRange(0, 1), help="Only answers at least as confident.")
@click.option("--max-confidence", type=click.FloatRange(0, 1), help="Only answers at most as confident.")
@click.option(
    "--reviewed/--unreviewed", default=None, help="Only answers that are reviewed, or that are not."
)
@click.option(
    "--automatic/--not-automatic", default=None, help="Only answers that need no person, or that do."
)
@click.option("--path", metavar="TEXT", help="Only answers about pictures with this text in their path.")
@click.option(
    "--order",
    type=click.Choice([one.value for one in Order]),
    default=Order.ITEM.value,
    show_default=True,
    help="Order of the list; value: what to review first.",
)
@click.option("--accept", is_flag=True, help="Accept these answers as they stand.")
@click.option("--set", "right", metavar="LABEL", help="Give these answers this label.")
@click.option("--none", is_flag=True, help="Say of these answers that the pictures show none of the classes.")
@click.option("--undo", is_flag=True, help="Undo the reviews of these answers.")
@click.option(
    "--from",
    "table",
    type=READABLE,
    help=f"Review by a CSV with the columns item and label; {NONE} means none of the classes, empty nothing.",
)
@click.option(
    "--import",
    "imported",
    type=(click.Choice(FORMATS), READABLE),
    metavar="FORMAT FILE",
    help=f"Review by the labels in a file of {' or '.join(FORMATS)}.",
)
@click.option("--new-labels", is_flag=True, help="With --import: also labels that the collection lacks.")
@click.option(
    "--enroll",
    is_flag=True,
    help="With --set, --from and --import: also make the pictures supports; where they have several labels, "
    "those given are all of them, and --accept goes with it too.",
)
@click.option(
    "--export",
    "exported",
    type=(click.Choice(FORMATS), FILE),
    metavar="FORMAT FILE",
    help=f"Write these answers as a file of {' or '.join(FORMATS)}.",
)
@click.option(
    "--images",
    metavar="PREFIX",
    help="With --export label-studio: what is before a picture's name where Label Studio finds it, such as "
    "/data/local-files/?d=album/; default the service's thumbnails.",
)
@click.option(
    "--sidecars",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Write an XMP sidecar with the final label next to each of these pictures, below this folder.",
)
@click.option("--overwrite-sidecars", is_flag=True, help="Also replace sidecars of other software.")
@click.option("--groups", is_flag=True, help="Group the answers without a label by how similar they are.")
@JSON
@SERVICE
def review(job_id: str, as_json: bool, client: Client, **options: Any) -> None:
    """List the answers of a job, or review them: all that the options select, or those of a file."""
    path = f"/v1/jobs/{job_id}"
    chosen = [name for name in ACTIONS if options[name]]
    wanted = given({name: options[name] for name in SELECTION})
    if len(chosen) > 1:
        raise click.UsageError(f"expected one of {', '.join(ACTIONS.values())}")
    if options["enroll"] and chosen not in (["right"], ["table"], ["imported"], ["accept"]):
        raise click.UsageError("--enroll goes with --set, --from, --import or --accept")
    ordered = {**wanted, "order": options["order"]}
    if not chosen:
        found = list(_answers(client, path, ordered))
        print_found(found, COLUMNS, [_cells(one) for one in found], as_json=as_json)
    elif chosen == ["exported"]:
        _export(client, path, ordered, options, as_json=as_json)
    elif chosen == ["groups"]:
        if wanted:
            raise click.UsageError("expected --groups without a selection")
        print_groups(client, path, as_json=as_json)
    elif chosen == ["sidecars"]:
        _write_sidecars(client, path, wanted, options, as_json=as_json)
    elif chosen == ["undo"]:
        done = client.call("POST", f"{path}/unreview", json={"where": wanted}).json()["reviewed"]
        _say({"reviewed": done}, f"{done} reviews undone", as_json=as_json)
    elif chosen == ["imported"]:
        labels = _imported(client, path, *options["imported"], new_labels=options["new_labels"])
        done = _write(client, path, labels.items, enroll=options["enroll"])
        _say_imported(done, labels, as_json=as_json)
    else:
        done = _review(client, path, wanted, options)
        _say({"reviewed": done}, f"{done} answers reviewed", as_json=as_json)


def _export(client: Client, path: str, wanted: Json, options: Mapping[str, Any], *, as_json: bool) -> None:
    format_, file = options["exported"]
    prefix = options["images"]

    def image(one: Json) -> str:
        if prefix is None:
            return f"{client.url}{path}/items/{one['item']}/thumbnail"
        return f"{prefix}{quote(one['custom_id'] or str(one['item']))}"

    done = write_answers(file, format_, _answers(client, path, wanted), path.rpartition("/")[2], image)
    _say({"written": done}, f"{done} answers written to {file}", as_json=as_json)


def _write_sidecars(
    client: Client, path: str, wanted: Json, options: Mapping[str, Any], *, as_json: bool
) -> None:
    collection = client.call("GET", path).json()["collection"]
    answers, folder = _answers(client, path, wanted), options["sidecars"]
    counts = write_sidecars(answers, folder, collection, overwrite=options["overwrite_sidecars"])
    _say(counts, ", ".join(f"{count} {name}" for name, count in counts.items()), as_json=as_json)


def _review(client: Client, path: str, wanted: Json, options: Mapping[str, Any]) -> int:
    """Review as the options say; return how many answers."""
    if options["table"] is not None:
        return _write(client, path, _by_table(options["table"]), enroll=options["enroll"])
    if options["enroll"]:
        items = [one["item"] for one in _answers(client, path, wanted)]
        if options["accept"]:
            return _give(client, path, items, {"accepted": True, "enroll": True})
        return _write(client, path, {(options["right"],): items}, enroll=True)
    verdict = {"accepted": True} if options["accept"] else {"label": options["right"]}
    done: int = client.call("POST", f"{path}/review", json={"where": wanted, **verdict}).json()["reviewed"]
    return done


def _write(client: Client, path: str, verdicts: Verdicts, *, enroll: bool) -> int:
    """Give labels to items, and enrol them where that is asked for; return how many items."""
    done = 0
    for labels, items in verdicts.items():
        verdict: Json = {"labels": labels} if len(labels) > 1 else {"label": labels[0] if labels else None}
        done += _give(client, path, items, {**verdict, **({"enroll": True} if enroll and labels else {})})
    return done


def _give(client: Client, path: str, items: Sequence[int], verdict: Json) -> int:
    """Give items a verdict, a thousand at a time, and wait for the enrolments; return how many items."""
    done, jobs = 0, []
    for start in range(0, len(items), AT_ONCE):
        part = {"items": items[start : start + AT_ONCE], **verdict}
        answer = client.call("POST", f"{path}/review", json=part).json()
        done += answer["reviewed"]
        jobs += [answer["enroll_job"]] if answer["enroll_job"] else []
    for job_id in jobs:
        client.wait(client.call("GET", f"/v1/jobs/{job_id}").json())
    return done


def _answers(client: Client, path: str, wanted: Mapping[str, Any]) -> Iterator[Json]:
    return (one for one in _results(client, path, wanted) if "decision" in one)


def _results(client: Client, path: str, wanted: Mapping[str, Any]) -> Iterator[Json]:
    cursor: str | None = None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = client.call("GET", f"{path}/results", params={"limit": AT_ONCE, **wanted, **more}).json()
        yield from page["items"]
        if page["next_cursor"] in (None, cursor):  # the second: the job is still running
            return
        cursor = page["next_cursor"]


def _imported(client: Client, path: str, format_: str, file: Path, *, new_labels: bool) -> Labels:
    collection = client.call("GET", path).json()["collection"]
    known = None if new_labels else labels_in(client, collection)
    return read_labels_of(file, format_, _results(client, path, {}), known)


def _by_table(table: Path) -> Verdicts:
    """Return what a CSV says."""
    verdicts: dict[tuple[str, ...], list[int]] = {}
    rows = _rows(table)
    column = next((name for name in ("labels", "label") if name in (rows.fieldnames or ())), None)
    if column is None or "item" not in (rows.fieldnames or ()):
        raise ExemplarError(
            "manifest_invalid",
            f"{table}: expected the columns item and label or labels, got {rows.fieldnames}",
        )
    for row in rows:
        text = (row[column] or "").strip()
        if not text:
            continue
        if not (row["item"] or "").strip().isdigit():
            raise ExemplarError(
                "manifest_invalid",
                f"{table}, line {rows.line_num}: expected the number of an item, got {row['item']!r}",
            )
        labels = [text] if column == "label" else split_labels(text)
        given = () if text == NONE else tuple(sorted(labels))
        verdicts.setdefault(given, []).append(int(row["item"]))
    return verdicts


def _rows(table: Path) -> csv.DictReader[str]:
    """Return the rows of a CSV as spreadsheets write it: by `,`, `;` or tabs, in UTF-8 or UTF-16."""
    text = read_text(table)
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    rows = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter)
    rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or ()]
    return rows


def _say(found: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    click.echo(text, err=as_json)
    if as_json:
        print_json(found)


def _say_imported(done: int, labels: Labels, *, as_json: bool) -> None:
    """Print what was reviewed and each entry that was not; exit with 1 if there is one."""
    for one in labels.refused:
        click.echo(f"{one.place}: {one.error.message} ({one.error.code})", err=True)
    refused = [{"entry": one.place, "error": problem_of(one.error)} for one in labels.refused]
    text = f"{done} answers reviewed" + (f", {len(refused)} entries refused" if refused else "")
    _say({"reviewed": done, "refused": refused}, text, as_json=as_json)
    if refused:
        sys.exit(SOME_REFUSED)


def _cells(one: Json) -> list[object]:
    return [
        one["item"],
        one["custom_id"],
        one["decision"],
        ", ".join(labels_of(one)),
        f"{one['confidence']:.2f}",
        ", ".join(one["final_labels"]) if has_several(one) else one["final_label"],
        one["review"]["by"] if one["reviewed"] else "",
    ]
