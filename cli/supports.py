"""`exemplar supports`: list, move, label and remove the labelled pictures of a collection."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import click

from cli.client import Client, Json
from cli.confirm import YES, confirm
from cli.groups import Group
from cli.options import COLLECTION, JSON, SERVICE, given
from cli.show import print_found, print_json
from cli.where import WHERE, metadata_of, where_of
from cli.which_collection import which_collection

COLUMNS = ("id", "class", "external id", "enrolled")


class SupportId(click.ParamType[int]):
    """A support's id, with or without the # that answers and reports print before it."""

    name = "id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).removeprefix("#")
        if not (text.isascii() and text.isdigit()):
            self.fail(f"expected the number of a support, such as 12, got {value!r}", param, ctx)
        return int(text)


IDS = click.argument("ids", metavar="ID...", nargs=-1, required=True, type=SupportId())


@click.group(cls=Group)
def supports() -> None:
    """List the labelled pictures of a collection, change what is said of them, remove them."""


@supports.command("list")
@COLLECTION
@click.option("--label", help="Only those of this class, or with this label.")
@WHERE
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most to list.")
@JSON
@SERVICE
def list_(
    *,
    collection: str | None,
    label: str | None,
    wheres: tuple[str, ...],
    limit: int,
    as_json: bool,
    client: Client,
) -> None:
    """List supports in order of enrolment, with their ids."""
    path = f"/v1/collections/{which_collection(client, collection)}/supports"
    query = given({"label": label, "where": where_of(wheres)})
    found = list(islice(client.pages(path, **query), limit + 1))
    shown = found[:limit]
    print_found(shown, COLUMNS, [_cells(one) for one in shown], as_json=as_json, whole=("id",))
    if len(found) > limit:
        click.echo(f"there are more; --limit shows more than {limit}", err=True)


@supports.command()
@IDS
@COLLECTION
@click.option("--to", "label", required=True, metavar="LABEL", help="The class they belong to.")
@JSON
@SERVICE
def move(ids: tuple[int, ...], collection: str | None, label: str, as_json: bool, client: Client) -> None:
    """Move supports to another class, which is created if it does not exist."""
    for moved in _changed(client, collection, ids, {"label": label}):
        print_json(moved) if as_json else click.echo(f"{_shown(moved)} is now of class {moved['label']}")


@supports.command()
@IDS
@COLLECTION
@click.option("--add", multiple=True, metavar="LABEL", help="A label to add; repeat it for more.")
@click.option("--remove", multiple=True, metavar="LABEL", help="A label to remove, with those below it.")
@click.option("--set", "labels", multiple=True, metavar="LABEL", help="A label instead of those there are.")
@click.option("--complete/--partial", default=None, help="Whether there are no other labels.")
@JSON
@SERVICE
def label(
    *,
    ids: tuple[int, ...],
    collection: str | None,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    labels: tuple[str, ...],
    complete: bool | None,
    as_json: bool,
    client: Client,
) -> None:
    """Change the labels of supports, in a collection with several labels a picture."""
    if labels and (add or remove):
        raise click.UsageError("--set goes without --add and --remove")
    said = {"add": add or None, "remove": remove or None, "labels": labels or None, "complete": complete}
    if not given(said):
        raise click.UsageError("name what to change: --add, --remove, --set, --complete or --partial")
    for changed in _changed(client, collection, ids, given(said)):
        print_json(changed) if as_json else click.echo(f"{_shown(changed)} is now {_labels(changed)}")


@supports.command()
@IDS
@COLLECTION
@click.option(
    "--metadata", multiple=True, metavar="NAME=VALUE", help="Metadata to set; NAME= removes it; repeat it."
)
@click.option("--external-id", metavar="ID", help='An id of yours; "" removes it.')
@JSON
@SERVICE
def describe(
    *,
    ids: tuple[int, ...],
    collection: str | None,
    metadata: tuple[str, ...],
    external_id: str | None,
    as_json: bool,
    client: Client,
) -> None:
    """Change metadata and external ids of supports."""
    said: Json = given({"metadata": metadata_of(metadata)})
    if external_id is not None:
        said["external_id"] = external_id or None
    if not said:
        raise click.UsageError("name what to change: --metadata or --external-id")
    for changed in _changed(client, collection, ids, said):
        print_json(changed) if as_json else click.echo(f"{_shown(changed)}: {changed['metadata']}")


@supports.command()
@IDS
@COLLECTION
@YES
@SERVICE
def remove(ids: tuple[int, ...], collection: str | None, yes: bool, client: Client) -> None:
    """Remove supports for good: they no longer decide answers."""
    name = which_collection(client, collection)
    found = [client.call("GET", _path(name, support_id)).json() for support_id in ids]
    named = ", ".join(f"{_shown(one)} {_labels(one)}" for one in found[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    confirm(f"Remove {named}{more} from {name}?", yes=yes)
    for one in found:
        client.call("DELETE", _path(name, one["id"]))
        where = f": {_labels(one)}" if "labels" in one else f" from {one['label']}"
        click.echo(f"removed {_shown(one)}{where}")


def _changed(client: Client, collection: str | None, ids: tuple[int, ...], said: Json) -> Iterator[Json]:
    name = which_collection(client, collection)
    return (client.call("PATCH", _path(name, one), json=said).json() for one in ids)


def _path(collection: str, support_id: int) -> str:
    return f"/v1/collections/{collection}/supports/{support_id}"


def _shown(support: Json) -> str:
    return f"#{support['id']}" + (f" {support['external_id']}" if support["external_id"] else "")


def _cells(one: Json) -> list[object]:
    at = one["created_at"][:16].replace("T", " ")
    return [one["id"], _labels(one) if "labels" in one else one["label"], one["external_id"], at]


def _labels(one: Json) -> str:
    """Return the class of a support in words, or its labels."""
    if "labels" not in one:
        return f"of class {one['label']}"
    if not one["labels"]:
        return "none of the labels"
    return ", ".join(one["labels"]) + (" and no other" if one["complete"] else "")
