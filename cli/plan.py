"""`exemplar plan`: estimate the resources that a target load needs."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

import click

from cli.capacity import GIB, SPEEDS, Need, Speed, Target, plan
from core.specs import PACKAGED

POSITIVE = click.FloatRange(min=0, min_open=True)
DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Target)}


@click.command("plan")
@click.option("--per-day", "pictures_per_day", type=POSITIVE, required=True, help="Pictures per day.")
@click.option("--peak", type=click.FloatRange(min=1), help="The busiest hour divided by the mean of a day.")
@click.option(
    "--interactive", "interactive_share", type=click.FloatRange(0, 1), help="Share that people wait for."
)
@click.option("--classes", type=click.IntRange(min=1), help="Classes of the largest collection.")
@click.option("--supports", type=click.IntRange(min=0), help="Supports of the largest collection.")
@click.option("--p95-ms", type=POSITIVE, help="Target 95th percentile of latency.")
@click.option("--picture-bytes", type=POSITIVE, help="Size of a picture.")
@click.option("--keep-days", type=POSITIVE, help="How long results are kept.")
@click.option("--core-hour", type=POSITIVE, help="Price of a core for an hour.")
@click.option(
    "--encoder", type=click.Choice(list(SPEEDS)), default=PACKAGED[0], show_default=True, help="What embeds."
)
@click.option("--cpu-ms", type=POSITIVE, help="Your own measurement of a bulk picture, instead of ours.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan_command(encoder: str, cpu_ms: float | None, as_json: bool, **asked: Any) -> None:
    """Estimate workers, cores, bytes and commits for a target load, from measured times."""
    target = Target(**(DEFAULTS | {name: value for name, value in asked.items() if value is not None}))
    speed = SPEEDS[encoder]
    if cpu_ms is not None:
        speed = _scaled(speed, cpu_ms / speed.cpu_ms)
    need = plan(target, speed)
    click.echo(json.dumps(asdict(need)) if as_json else _table(need))


def _scaled(speed: Speed, by: float) -> Speed:
    return Speed(speed.cpu_ms * by, speed.embed_ms * by, speed.alone_ms * by, speed.dim, speed.worker_bytes)


def _table(need: Need) -> str:
    rows = {
        "pictures per second, busiest hour": f"{need.pictures_per_s:,.1f}",
        "workers, one core each": f"{need.workers:,}",
        "cores, including the API's": f"{need.cores:,}",
        "memory per worker": f"{need.worker_bytes / GIB:,.1f} GiB",
        "95th percentile of latency": f"{need.p95_ms:,.0f} ms",
        "commits per second": f"{need.commits_per_s:,.0f}",
        "record": f"{need.record_bytes / GIB:,.1f} GiB",
        "blobs": f"{need.blob_bytes / GIB:,.1f} GiB",
        "cost of the workers per month": f"{need.cost_per_month:,.0f}",
    }
    width = max(map(len, rows))
    lines = [f"{name:<{width}}  {value:>14}" for name, value in rows.items()]
    return "\n".join(lines + [f"! {warning}" for warning in need.warnings])
