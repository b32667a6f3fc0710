"""The external ids of supports, which reports name by number."""

from __future__ import annotations

from collections.abc import Collection as AnyOf
from collections.abc import Mapping

from cli.client import Client, Json
from core.errors import ExemplarError

PAGE = 500
FEW = 20  # supports that are looked up one by one even in a small collection

Ids = Mapping[int, str]


def external_ids(client: Client, collection: str, supports: AnyOf[int]) -> Ids:
    """Return the external ids of supports, without those that have none or are gone."""
    wanted = set(supports)
    if not wanted:
        return {}
    path = f"/v1/collections/{collection}"
    pages = client.call("GET", path).json()["supports"] / PAGE
    if len(wanted) <= max(FEW, pages):
        found = [one for support in wanted if (one := _support(client, f"{path}/supports/{support}"))]
    else:
        found = [one for one in client.pages(f"{path}/supports") if one["id"] in wanted]
    return {one["id"]: one["external_id"] for one in found if one["external_id"]}


def _support(client: Client, path: str) -> Json | None:
    try:
        found: Json = client.call("GET", path).json()
    except ExemplarError as error:
        if error.code != "support_not_found":
            raise
        return None
    return found
