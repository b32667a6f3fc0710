"""`exemplar enroll`: enrol the pictures of a folder as supports; each subfolder is a class."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import click

from cli.client import Json
from cli.left_out import LeftOut
from cli.local import service_client
from cli.options import COLLECTION, JSON, LOCAL, URL
from cli.pictures import Picture, find_pictures, none_found
from cli.show import print_json
from cli.work import run_jobs

Group = tuple[str, list[Path]]


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@COLLECTION
@click.option("--label", help="One label for all pictures, instead of their folders' names.")
@JSON
@LOCAL
@URL
def enroll(
    *, path: Path, collection: str, label: str | None, as_json: bool, local: Path | None, url: str
) -> None:
    """Enrol pictures; each folder is a class. The collection is created if it does not exist.

    Pictures next to the class folders are skipped unless --label names their class.
    """
    left_out = LeftOut()
    pictures = find_pictures(path, left_out)
    if label is None:
        pictures = _without_loose(path, pictures, left_out)
    if not pictures:
        raise none_found(f"under {path}", left_out)
    groups = _groups(pictures) if label is None else [(label, [picture.path for picture in pictures])]
    with service_client(url, local) as client:
        client.ensure_collection(collection)
        results = list(run_jobs(client, f"/v1/collections/{collection}/enroll", groups, "enrolling"))
    sys.exit(_print_outcome(collection, len(groups), results, left_out, as_json=as_json))


def _groups(pictures: Sequence[Picture]) -> list[Group]:
    by_label = sorted(pictures, key=lambda picture: picture.label)
    return [
        (label, [picture.path for picture in group])
        for label, group in groupby(by_label, key=lambda picture: picture.label)
    ]


def _without_loose(path: Path, pictures: Sequence[Picture], left_out: LeftOut) -> list[Picture]:
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
    left_out.add("picture beside the folders of classes", loose)
    return classed


def _print_outcome(
    collection: str, classes: int, results: Sequence[tuple[Path, Json]], left_out: LeftOut, *, as_json: bool
) -> int:
    """Print the outcome of the pictures; return the exit code."""
    failed = [(file, result) for file, result in results if result["status"] == "failed"]
    twice = sum(result.get("duplicate_of") is not None for _, result in results)
    if as_json:
        for file, result in results:
            print_json({"file": str(file), **result})
        if left_out:
            print_json(left_out.as_json())
        return 1 if failed else 0
    for file, result in failed:
        click.echo(f"{file}: {result['error']['detail']} ({result['error']['code']})", err=True)
    click.echo(
        f"{len(results) - len(failed) - twice} enrolled in {classes} classes of {collection}, "
        f"{twice} already there, {len(failed)} failed"
    )
    if left_out:
        click.echo(str(left_out))
    return 1 if failed else 0
