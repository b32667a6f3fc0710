"""`exemplar report`: a collection's accuracy, confusions and label errors, and which pictures to add."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import httpx

from cli.client import Client, Json
from cli.options import COLLECTION, JSON, URL
from cli.report_table import fit, numbers_text
from core.specs import encoder_line

COLUMNS = 100
LABEL_CELLS = 22  # where a line holds two
LINES_MOST = 10  # per list
CLASSES_MOST = 100
WAIT = {"Prefer": "wait=30"}


@click.command()
@COLLECTION
@JSON
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Also write the confusion matrix to an SVG file.",
)
@URL
def report(collection: str, as_json: bool, picture: Path | None, url: str) -> None:
    """Report on a collection: accuracy, confusions, wrong labels, duplicates, which pictures to add."""
    client = Client(url)
    found: Json = _get(client, f"/v1/collections/{collection}/report").json()
    if picture is not None:
        picture.write_bytes(_get(client, f"/v1/collections/{collection}/report/confusion.svg").content)
    if as_json:
        click.echo(json.dumps(found))
        return
    encoder = _get(client, f"/v1/collections/{collection}").json()["encoder"]
    how = f"exemplar reindex start {collection} --encoder"
    click.echo("\n".join((*_lines(collection, found), "", encoder_line(encoder, how))))


def _get(client: Client, path: str) -> httpx.Response:
    """Get a resource that a job may have to make first."""
    while True:
        response = client.call("GET", path, headers=WAIT)
        if response.status_code != httpx.codes.ACCEPTED:
            return response
        client.wait(response.json())


def _lines(collection: str, report: Json) -> Iterator[str]:
    rule = (
        report["rule"]
        if report["rule"] == report["rule_used"]
        else f"{report['rule']}: {report['rule_used']}"
    )
    said = (
        f"{collection}, version {report['version']}: {report['supports']} pictures in "
        f"{len(report['classes'])} classes, rule {rule}. Each is judged by the others."
    )
    for text in (said, *(f"Note: {note}" for note in report["notes"])):
        yield textwrap.fill(text, COLUMNS)
    if not report["classes"]:
        return
    yield ""
    if len(report["classes"]) > CLASSES_MOST:
        yield f"The {CLASSES_MOST} weakest of {len(report['classes'])} classes:\n"
    yield numbers_text(report, CLASSES_MOST)
    small = [line["judgement"] for line in report["classes"]]
    if "rough" in small:
        yield "  ~ fewer than 8 pictures: the numbers of this class are not reliable"
    if "not_assessable" in small:
        yield "  ? one picture or none: cannot be judged"
    yield from _list("Too small to judge", report["too_small"], _small)
    yield from _list("Confused with each other", report["confused_pairs"], _pair)
    yield from _list("Possibly wrong labels, worst first", report["suspects"], _suspect)
    yield from _list("Duplicates", report["duplicates"], _duplicate_line)
    yield from _list("Near duplicates", report["near_duplicates"], _duplicate_line)
    yield from _list("What to photograph next", report["wanted"], _want)


def _list(title: str, listed: Json, line: Callable[[Json], str]) -> Iterator[str]:
    if listed["total"] == 0:
        return
    yield f"\n{title} ({listed['total']})"
    shown = listed["items"][:LINES_MOST]
    yield from (fit(f"  {line(item)}", COLUMNS) for item in shown)
    if listed["total"] > len(shown):
        yield f"  ... and {listed['total'] - len(shown)} more (--json shows more)"


def _small(small: Json) -> str:
    supports = small["supports"]
    return f"{small['label']}: {supports} {'picture' if supports == 1 else 'pictures'}"


def _pair(pair: Json) -> str:
    first, second = (fit(label, LABEL_CELLS) for label in pair["labels"])
    there, back = pair["taken"]
    return f"{first} | {second}: {pair['rate']:.0%} of both ({there} of the first, {back} of the second)"


def _suspect(suspect: Json) -> str:
    label, rival = (fit(suspect[key], LABEL_CELLS) for key in ("label", "looks_like"))
    return f"#{suspect['support_id']} {label}, nearer to {rival} (margin {suspect['margin']:.2f})"


def _duplicate_line(group: Json) -> str:
    pairs = zip(group["support_ids"], group["labels"], strict=True)
    if not group["conflict"]:
        return f"{group['labels'][0]}: " + _joined([f"#{support_id}" for support_id in group["support_ids"]])
    return "in different classes: " + _joined(
        [f"#{support_id} {fit(label, LABEL_CELLS)}" for support_id, label in pairs]
    )


def _joined(parts: list[str]) -> str:
    more = len(parts) - LINES_MOST
    return ", ".join(parts[:LINES_MOST]) + (f" and {more} more" if more > 0 else "")


def _want(wanted: Json) -> str:
    return f"{wanted['more']} more of {wanted['label']}: {wanted['reason']}"
