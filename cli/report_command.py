"""`exemplar report`: a collection's accuracy, confusions and label errors, and which pictures to add."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click

from cli.client import Client, Json
from cli.command_name import command_name
from cli.external_ids import Ids, external_ids
from cli.options import AS_OF, COLLECTION, JSON, SERVICE, given
from cli.report_advice import advice_lines
from cli.report_labels import label_lines
from cli.report_table import COLUMNS, LINES_MOST, fit, listed_lines, numbers_text, rule_text, support_text
from cli.which_collection import which_collection
from core.collections import Labels
from core.specs import encoder_line

LABEL_CELLS = 22  # where a line holds two
CLASSES_MOST = 100


@click.command()
@COLLECTION
@JSON
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Also write the confusion matrix to an SVG file.",
)
@AS_OF
@SERVICE
def report(
    *, collection: str | None, as_json: bool, picture: Path | None, version: str | None, client: Client
) -> None:
    """Report on a collection: accuracy, confusions, wrong labels, duplicates, which pictures to add."""
    name = which_collection(client, collection)
    query = given({"version": version})
    collection_ = client.call("GET", f"/v1/collections/{name}").json()
    if collection_["labels"] == Labels.MANY:
        if picture is not None:
            raise click.UsageError("--picture: several labels a picture have no confusion matrix")
        several: Json = client.made(f"/v1/collections/{name}/report/labels", **query).json()
        suspects = {one["support_id"] for one in several["suspects"]["items"][:LINES_MOST]}
        lines = label_lines(name, several, external_ids(client, name, suspects))
        click.echo(json.dumps(several) if as_json else "\n".join(lines))
        return
    found: Json = client.made(f"/v1/collections/{name}/report", **query).json()
    if picture is not None:
        picture.write_bytes(client.made(f"/v1/collections/{name}/report/confusion.svg", **query).content)
    if as_json:
        click.echo(json.dumps(found))
        return
    encoder = collection_["encoder"]
    how = f"{command_name()} reindex start {name} --encoder"
    ids = external_ids(client, name, _shown_supports(found))
    click.echo("\n".join((*_lines(name, found, ids), "", encoder_line(encoder, how))))


def _shown_supports(report: Json) -> set[int]:
    """Return the supports that the lists show."""
    groups = [*report["duplicates"]["items"][:LINES_MOST], *report["near_duplicates"]["items"][:LINES_MOST]]
    single = [*report["suspects"]["items"][:LINES_MOST], *report["harmful"]["items"][:LINES_MOST]]
    return {one["support_id"] for one in single} | {
        support for group in groups for support in group["support_ids"][:LINES_MOST]
    }


def _lines(collection: str, report: Json, ids: Ids | None = None) -> Iterator[str]:
    ids = ids or {}
    said = (
        f"{collection}, version {report['version']}: {report['supports']} pictures in "
        f"{len(report['classes'])} classes, rule {rule_text(report)}. Each is judged by the others."
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
    yield from advice_lines(report, ids)
    yield from listed_lines("Too small to judge", report["too_small"], _small)
    yield from listed_lines("Confused with each other", report["confused_pairs"], _pair)
    yield from listed_lines("Possibly wrong labels, worst first", report["suspects"], partial(_suspect, ids))
    yield from listed_lines("Duplicates", report["duplicates"], partial(_duplicate_line, ids))
    yield from listed_lines("Near duplicates", report["near_duplicates"], partial(_duplicate_line, ids))
    yield from listed_lines("What to photograph next", report["wanted"], _want)


def _small(small: Json) -> str:
    supports = small["supports"]
    return f"{small['label']}: {supports} {'picture' if supports == 1 else 'pictures'}"


def _pair(pair: Json) -> str:
    first, second = (fit(label, LABEL_CELLS) for label in pair["labels"])
    there, back = pair["taken"]
    return f"{first} | {second}: {pair['rate']:.0%} of both ({there} of the first, {back} of the second)"


def _suspect(ids: Ids, suspect: Json) -> str:
    label, rival = (fit(suspect[key], LABEL_CELLS) for key in ("label", "looks_like"))
    support = support_text(ids, suspect["support_id"], label)
    return f"{support}, nearer to {rival} (margin {suspect['margin']:.2f})"


def _duplicate_line(ids: Ids, group: Json) -> str:
    pairs = zip(group["support_ids"], group["labels"], strict=True)
    if not group["conflict"]:
        return f"{group['labels'][0]}: " + _joined([support_text(ids, support_id) for support_id, _ in pairs])
    return "in different classes: " + _joined(
        [support_text(ids, support_id, fit(label, LABEL_CELLS)) for support_id, label in pairs]
    )


def _joined(parts: list[str]) -> str:
    more = len(parts) - LINES_MOST
    return ", ".join(parts[:LINES_MOST]) + (f" and {more} more" if more > 0 else "")


def _want(wanted: Json) -> str:
    return f"{wanted['more']} more of {wanted['label']}: {wanted['reason']}"
