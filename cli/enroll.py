"""`exemplar enroll`: pictures of a folder become supports; a folder is a class."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

import click

from cli.client import Client, find_pictures
from cli.work import run_jobs
from core.errors import ExemplarError


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("-c", "--collection", required=True, help="The collection; it is made where it is new.")
@click.option("--label", help="One label for all pictures, instead of the names of their folders.")
@click.option("--url", help="The service; default EXEMPLAR_URL or http://127.0.0.1:8000.")
def enroll(path: Path, collection: str, label: str | None, url: str | None) -> None:
    """Enrol pictures at a running service; a folder is a class."""
    pictures = find_pictures(path)
    if not pictures:
        raise ExemplarError("picture_missing", f"expected pictures under {path}, found none")
    by_label = sorted(pictures, key=lambda picture: picture.label)
    groups = (
        [(label, [picture.path for picture in pictures])]
        if label is not None
        else [
            (name, [picture.path for picture in group])
            for name, group in groupby(by_label, key=lambda picture: picture.label)
        ]
    )
    client = Client(url)
    client.ensure_collection(collection)
    results = list(run_jobs(client, f"/v1/collections/{collection}/enroll", groups, "enrolling"))
    failed = [(file, result) for file, result in results if result["status"] == "failed"]
    for file, result in failed:
        click.echo(f"{file}: {result['error']['detail']} ({result['error']['code']})", err=True)
    twice = sum(result.get("duplicate_of") is not None for _, result in results)
    click.echo(
        f"{len(results) - len(failed) - twice} enrolled in {len(groups)} classes of {collection}, "
        f"{twice} had been before, {len(failed)} failed"
    )
    sys.exit(1 if failed else 0)
