"""`exemplar enroll`: enrol the pictures of a folder as supports; each subfolder is a class."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import click

from cli.class_folders import CLASS_FROM, choose_classes
from cli.client import Json
from cli.local import service_client
from cli.options import COLLECTION, JSON, LOCAL, URL
from cli.pictures import Picture, find_pictures
from cli.show import print_json
from cli.work import run_jobs
from core.errors import ExemplarError

Group = tuple[str, list[Path]]


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@COLLECTION
@click.option("--label", help="One label for all pictures, instead of their folders' names.")
@CLASS_FROM
@JSON
@LOCAL
@URL
def enroll(
    *,
    path: Path,
    collection: str,
    label: str | None,
    class_from: str | None,
    as_json: bool,
    local: Path | None,
    url: str,
) -> None:
    """Enrol pictures; each folder is a class. The collection is created if it does not exist.

    Pictures next to the class folders are skipped unless --label names their class.
    """
    pictures = find_pictures(path)
    if label is None:
        pictures = choose_classes(_without_loose(path, pictures), [path], class_from)
    if not pictures:
        raise ExemplarError("picture_missing", f"expected pictures under {path}, found none")
    groups = _groups(pictures) if label is None else [(label, [picture.path for picture in pictures])]
    with service_client(url, local) as client:
        client.ensure_collection(collection)
        results = list(run_jobs(client, f"/v1/collections/{collection}/enroll", groups, "enrolling"))
    sys.exit(_print_outcome(collection, len(groups), results, as_json=as_json))


def _groups(pictures: Sequence[Picture]) -> list[Group]:
    by_label = sorted(pictures, key=lambda picture: picture.label)
    return [
        (label, [picture.path for picture in group])
        for label, group in groupby(by_label, key=lambda picture: picture.label)
    ]


def _without_loose(path: Path, pictures: Sequence[Picture]) -> list[Picture]:
    """Drop pictures next to class folders: the parent folder's name is no class."""
    classed = [picture for picture in pictures if picture.path.parent != path]
    loose = len(pictures) - len(classed)
    if not classed or not loose:
        return list(pictures)
    click.echo(
        f"skipping {loose} pictures in {path} itself, next to the class folders; "
        "put them into a class folder, or give their class with --label",
        err=True,
    )
    return classed


def _print_outcome(
    collection: str, classes: int, results: Sequence[tuple[Path, Json]], *, as_json: bool
) -> int:
    """Print the outcome of the pictures; return the exit code."""
    failed = [(file, result) for file, result in results if result["status"] == "failed"]
    twice = sum(result.get("duplicate_of") is not None for _, result in results)
    if as_json:
        for file, result in results:
            print_json({"file": str(file), **result})
        return 1 if failed else 0
    for file, result in failed:
        click.echo(f"{file}: {result['error']['detail']} ({result['error']['code']})", err=True)
    click.echo(
        f"{len(results) - len(failed) - twice} enrolled in {classes} classes of {collection}, "
        f"{twice} already there, {len(failed)} failed"
    )
    return 1 if failed else 0
