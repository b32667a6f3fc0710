"""Groups of the items of a job that have no label."""

from __future__ import annotations

from cli.client import Client
from cli.progress import wait_with_bar
from cli.show import print_found
from core.errors import ExemplarError

COLUMNS = ("size", "tightness", "representative", "suggested", "items")
FEW = 12  # items of a group that a table lists


def print_groups(client: Client, path: str, *, as_json: bool) -> None:
    """Print the groups of the items without a label, largest and tightest first."""
    job = wait_with_bar(client, client.call("POST", f"{path}/groups", json={}).json())
    found = list(client.results(job))
    failed = next((one["error"] for one in found if one["status"] == "failed"), None)
    if failed is not None:
        raise ExemplarError(failed["code"], failed["detail"])
    rows = [
        (
            one["size"],
            f"{one['tightness']:.2f}",
            one["representative"],
            " ".join(map(str, one["suggested"])),
            _few(one["items"]),
        )
        for one in found
    ]
    print_found(found, COLUMNS, rows, as_json=as_json)


def _few(items: list[int]) -> str:
    more = f" and {len(items) - FEW} more" if len(items) > FEW else ""
    return " ".join(map(str, items[:FEW])) + more
