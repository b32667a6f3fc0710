"""`exemplar versions`: who changed a collection, what differs between two versions, and the return to one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote

import click

from cli.client import Client, Json
from cli.confirm import YES, confirm
from cli.groups import Group
from cli.options import COLLECTION, JSON, SERVICE
from cli.show import print_found, print_json
from cli.which_collection import which_collection

SHOWN = 20


@click.group(cls=Group)
def versions() -> None:
    """Show who changed a collection and what, compare two versions, and return to one."""


@versions.command("list")
@COLLECTION
@click.option("--limit", type=click.IntRange(min=1), default=SHOWN, show_default=True, help="Most changes.")
@JSON
@SERVICE
def list_(collection: str | None, limit: int, as_json: bool, client: Client) -> None:
    """List the changes of a collection, newest first."""
    found = list(islice(client.pages(_path(client, collection)), limit))
    rows = [
        (
            one["version"],
            one["at"][:19].replace("T", " "),
            one["actor"],
            one["kind"],
            ", ".join(f"{name} {_text(value)}" for name, value in one["details"].items()),
        )
        for one in found
    ]
    print_found(found, ("version", "time", "by", "kind", "what"), rows, as_json=as_json, whole=("time",))


@versions.command()
@click.argument("before", metavar="FROM")
@click.argument("after", metavar="TO")
@COLLECTION
@click.option("--job", metavar="JOB", help="Also count which answers of this job flip.")
@JSON
@SERVICE
def diff(
    before: str, after: str, collection: str | None, job: str | None, as_json: bool, client: Client
) -> None:
    """Compare two versions of a collection, by number or name."""
    query = {"from": before, "to": after} | ({} if job is None else {"job": job})
    found = client.made(f"{_path(client, collection)}/diff", **query).json()
    print_json(found) if as_json else click.echo("\n".join(_lines(found)))


@versions.command()
@click.argument("version")
@COLLECTION
@YES
@JSON
@SERVICE
def restore(version: str, collection: str | None, yes: bool, as_json: bool, client: Client) -> None:
    """Make a collection what it was at a version; restore the version before to undo it."""
    path = _path(client, collection)
    name = path.split("/")[3]
    confirm(f"Make {name} what it was at version {version}?", yes=yes)
    made = client.call("POST", f"{path}/{quote(version, safe='')}/restore").json()
    print_json(made) if as_json else click.echo(
        f"{name} is as at version {version}, and has version {made['version']} now"
    )


def _path(client: Client, collection: str | None) -> str:
    return f"/v1/collections/{which_collection(client, collection)}/versions"


def _lines(found: Json) -> Iterator[str]:
    yield f"from version {found['from']} to {found['to']}"
    for name in ("added", "removed"):
        if found[name]:
            yield f"classes {name}: {', '.join(found[name])}"
    for what, pairs in (("renamed", found["renamed"]), ("of another kind", found["kinds"])):
        for one in pairs:
            label = f"{one['label']} " if "label" in one else ""
            yield f"class {what}: {label}{one['from']} -> {one['to']}"
    for name, (was, is_) in found["rule"].items():
        yield f"rule: {name} {was} -> {is_}"
    for one in found["classes"]:
        counts = ("added", "removed", "moved_in", "moved_out")
        told = ", ".join(f"{one[count]} {count.replace('_', ' ')}" for count in counts if one[count])
        yield f"supports of {one['label']}: {told}"
    yield f"{found['total']} supports differ"
    if found["answers"] is not None:
        yield from _flips(found["answers"])


def _flips(summary: Json) -> Iterator[str]:
    for one in summary["changes"]:
        yield f"answers: {_text(one['from'])} -> {_text(one['to'])}: {one['items']}"
    yield f"{summary['changed']} of {summary['asked']} answers flip"


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
