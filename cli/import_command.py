"""`exemplar import`: create a collection from an exported file or from another service's data."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import click

from cli.client import Client
from cli.importers.azure import read_azure
from cli.importers.compreface import read_compreface
from cli.importers.enrolling import Tally, enroll_found
from cli.importers.labelled import Found
from cli.importers.places import Places
from cli.importers.rekognition import read_rekognition
from cli.importers.table import read_table
from cli.options import SERVICE, given
from cli.progress import wait_with_bar
from cli.sending import blocks_of
from core.collections import Labels
from core.errors import ExemplarError
from core.labels import check_slug

MOST_SHOWN = 20  # failed items

Reader = Callable[[Path, Path | None, bool], Found]
READERS: dict[str, Reader] = {
    "csv": lambda path, folder, crops: read_table(path, Places(folder, path.parent)),
    "azure": lambda path, folder, crops: read_azure(path, _places(path, folder), crops=crops),
    "rekognition": lambda path, folder, crops: read_rekognition(path, _places(path, folder), crops=crops),
    "compreface": lambda path, folder, crops: read_compreface(path, folder),
}


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--as", "name", help="Name of the collection; default the name in the file.")
@click.option("--encoder", help="Embed the pictures in the file again with this encoder.")
@click.option(
    "--from",
    "format_",
    type=click.Choice(["exemplar", *READERS]),
    default="exemplar",
    show_default=True,
    help="Format of the file; formats other than exemplar are enrolled as pictures and need --as.",
)
@click.option(
    "--labels",
    type=click.Choice([labels.value for labels in Labels]),
    help="How many labels a picture has, for formats other than exemplar; default one.",
)
@click.option("--crop", "crops", is_flag=True, help="Enrol the annotated regions of pictures.")
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder of the pictures that the file names.",
)
@SERVICE
def import_(
    *,
    path: Path,
    name: str | None,
    encoder: str | None,
    format_: str,
    labels: str | None,
    crops: bool,
    pictures: Path | None,
    client: Client,
) -> None:
    """Create a collection from a file written by `exemplar export` or from another service's data.

    To enrol a folder of class folders, see `exemplar enroll`.
    """
    if format_ == "exemplar":
        sys.exit(_import(client, path, name, encoder))
    if name is None:
        raise ExemplarError("name_invalid", "expected the name of a collection: --as NAME")
    client.ensure_collection(name, **given({"encoder": encoder, "labels": labels}))
    several = Labels(client.call("GET", f"/v1/collections/{check_slug(name)}").json()["labels"])
    tally = Tally()
    found = READERS[format_](path, pictures, crops)
    for shown, (place, error) in enumerate(enroll_found(client, name, found, tally, several)):
        if shown < MOST_SHOWN:
            click.echo(f"{place}: {error.message} ({error.code})", err=True)
    click.echo(f"{name}: {tally.enrolled} enrolled, {tally.repeated} already there, {tally.failed} failed")
    sys.exit(1 if tally.failed else 0)


def _import(client: Client, path: Path, name: str | None, encoder: str | None) -> int:
    query = given({"name": name, "encoder": encoder})
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    key = hashlib.sha256(f"{digest}:{name}:{encoder}".encode()).hexdigest()
    job = client.upload("/v1/import", lambda: blocks_of(path), "application/zip", key, **query)
    job = wait_with_bar(client, job, "importing")
    failed = [result for result in client.results(job) if result["status"] == "failed"]
    for result in failed[:MOST_SHOWN]:
        click.echo(f"{result['error']['detail']} ({result['error']['code']})", err=True)
    done = job["progress"]
    click.echo(f"{job['collection']}: {done['done']} supports imported, {done['failed']} failed")
    return 1 if failed or job["state"] != "succeeded" else 0


def _places(path: Path, folder: Path | None) -> Places:
    return Places(folder, path if path.is_dir() else path.parent)
