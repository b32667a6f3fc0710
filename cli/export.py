"""`exemplar export`: write a collection to one file."""

from __future__ import annotations

from pathlib import Path

import click

from cli.client import Client
from cli.options import COLLECTION_ARGUMENT, SERVICE
from cli.which_collection import which_collection
from core.errors import ExemplarError
from core.sizes import size_text
from runtime.files import write_parts_durably


@click.command()
@COLLECTION_ARGUMENT
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="The file to write; it must not exist.",
)
@click.option("--pictures", is_flag=True, help="Include the pictures of the supports.")
@SERVICE
def export(collection: str | None, out: Path, pictures: bool, client: Client) -> None:
    """Write a collection to one file: vectors, labels, rule, encoder and, with --pictures, the pictures."""
    if out.exists():
        raise ExemplarError(
            "path_exists", f"expected a new file, got {out}, which exists; choose another name"
        )
    name = which_collection(client, collection)
    path = f"/v1/collections/{name}/export"
    parts = client.parts(path, "application/zip", pictures=str(pictures).lower())
    write_parts_durably(str(out), parts)
    click.echo(f"{name}: {size_text(out.stat().st_size)} in {out}")
