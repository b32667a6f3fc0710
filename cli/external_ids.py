"""The external ids of supports, which answers and reports name by number."""

from __future__ import annotations

from collections.abc import Collection as AnyOf
from collections.abc import Mapping

from cli.client import Client, Json
from core.errors import ExemplarError
from core.results import has_several

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


def supports_of(result: Json) -> set[int]:
    """Return the supports that an answer names."""
    return {one["support_id"] for one in _named(result)}


def with_external_ids(result: Json, ids: Ids) -> Json:
    """Return an answer whose supports have their external ids, null for those without."""
    found = dict(result)
    if "neighbours" in found:
        found["neighbours"] = [_with_id(one, ids) for one in found["neighbours"]]
    if "explanation" in found:
        found["explanation"] = _explained(found["explanation"], ids)
    if has_several(found):
        found["labels"] = [
            {**one, "explanation": _explained(one["explanation"], ids)} for one in found["labels"]
        ]
    return found


def _explained(explanation: Json, ids: Ids) -> Json:
    return {**explanation, "supports": [_with_id(one, ids) for one in explanation["supports"]]}


def _named(result: Json) -> list[Json]:
    explained = result.get("labels") or [result]
    supports = [one for answer in explained for one in (answer.get("explanation") or {}).get("supports", ())]
    return [*result.get("neighbours", ()), *supports]


def _with_id(support: Json, ids: Ids) -> Json:
    return {**support, "external_id": ids.get(support["support_id"])}


def _support(client: Client, path: str) -> Json | None:
    try:
        found: Json = client.call("GET", path).json()
    except ExemplarError as error:
        if error.code != "support_not_found":
            raise
        return None
    return found
