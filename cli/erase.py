"""`exemplar erase`: remove pictures and all that was made from them for good, with a receipt."""

from __future__ import annotations

import time

import click

from cli.client import Client, Json
from cli.confirm import YES, confirm
from cli.options import COLLECTION, JSON, SERVICE, given
from cli.show import print_json
from cli.supports import SupportId
from cli.which_collection import which_collection
from core.jobs import ErasureState

LOOK_S = 1.0


@click.command()
@COLLECTION
@click.option(
    "--everywhere", is_flag=True, help="Every collection that the key may reach; with --external-id."
)
@click.option("--support", "supports", multiple=True, type=SupportId(), help="A support (repeatable).")
@click.option("--external-id", help="Everything with this external id.")
@click.option("--label", help="A class with its supports.")
@click.option("--dry-run", is_flag=True, help="Only count what would be erased.")
@YES
@JSON
@SERVICE
def erase(
    *,
    collection: str | None,
    everywhere: bool,
    supports: tuple[int, ...],
    external_id: str | None,
    label: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    client: Client,
) -> None:
    """Erase pictures with vectors, answers and everything else that was made from them, for good."""
    wanted = given({"support_ids": list(supports) or None, "external_id": external_id, "label": label})
    if len(wanted) != 1:
        raise click.UsageError("name what to erase: --support, --external-id or --label")
    if everywhere and (external_id is None or collection is not None):
        raise click.UsageError("--everywhere goes with --external-id, and without --collection")
    path, where = "/v1/erase", "every collection"
    if not everywhere:
        where = which_collection(client, collection)
        path = f"/v1/collections/{where}/erase"
    found = client.call("POST", path, json={**wanted, "dry_run": True}).json()
    if not dry_run:
        confirm(f"Erase {_counted(found)} of {where}? Nothing brings them back.", yes=yes)
        found = _done(client, client.call("POST", path, json=wanted).json())
    print_json(found) if as_json else click.echo(_said(found, dry_run=dry_run))


def _done(client: Client, receipt: Json) -> Json:
    while receipt["state"] == ErasureState.RUNNING:
        time.sleep(LOOK_S)
        receipt = client.call("GET", f"/v1/erasures/{receipt['id']}").json()
    return receipt


def _counted(receipt: Json) -> str:
    counts = [f"{count} {name.replace('_', ' ')}" for name, count in receipt["counts"].items() if count]
    return ", ".join(counts) or "nothing"


def _said(receipt: Json, *, dry_run: bool) -> str:
    if dry_run:
        return f"would erase {_counted(receipt)}"
    lines = [f"erased {_counted(receipt)}; the receipt is {receipt['id']}"]
    if receipt["elsewhere"]:
        lines.append(f"{len(receipt['elsewhere'])} pictures stay: others have them too (see the receipt)")
    if receipt["unread"]:
        lines.append(f"uploads of {len(receipt['unread'])} jobs are still being read: erase again after that")
    return "\n".join(lines)
