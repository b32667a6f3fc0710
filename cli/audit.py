"""`exemplar audit`: write who changed what and when, as NDJSON."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta

import click

from cli.client import Client
from cli.options import SERVICE, given

NDJSON = "application/x-ndjson"
_AGO = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Moment(click.ParamType[str]):
    """A time as ISO 8601, or how long ago it was."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        ago = _AGO.fullmatch(text)
        if ago is not None:
            return (datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).isoformat()
        try:
            return datetime.fromisoformat(text).isoformat()
        except ValueError:
            self.fail(f"expected a time such as 2026-03-01T12:00 or 7d, got {text!r}", param, ctx)


@click.command()
@click.option("-c", "--collection", metavar="NAME", help="Only a collection, which may be deleted by now.")
@click.option("--since", type=Moment(), help="From a time on: 2026-03-01, or 7d, 12h or 30m ago.")
@click.option("--until", type=Moment(), help="Before a time.")
@SERVICE
def audit(collection: str | None, since: str | None, until: str | None, client: Client) -> None:
    """Write who changed what and when, one line of JSON each, oldest first."""
    query = given({"collection": collection, "since": since, "until": until})
    for block in client.parts("/v1/audit", NDJSON, **query):
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
