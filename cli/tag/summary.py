"""The summary that `exemplar tag` prints at its end."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator

import click

from cli.client import Json
from cli.command_name import command_name
from cli.left_out import LeftOut
from core.errors import title_of
from core.sizes import size_text


def print_summary(summary: Json, why: str | None, *, as_json: bool) -> None:
    """Print what was done; for an unfinished run, why, and the command that resumes it."""
    again = (
        f"{command_name()} {shlex.join(argument for argument in sys.argv[1:] if argument != '--overwrite')}"
    )
    ready = summary["done"] + summary["failed"]
    if why is not None:
        click.echo(f"exemplar: {why}", err=True)
        going = len(summary["running_jobs"])
        left = f"; {going} jobs continue at the service" if going else ""
        click.echo(f"{ready:,} of {summary['total']:,} are written{left}. To resume:\n  {again}", err=True)
    if as_json:
        click.echo(json.dumps({**summary, "why": why, "resume": None if why is None else again}))
    elif why is None:
        decisions = ", ".join(f"{count:,} {name}" for name, count in summary["decisions"].items())
        click.echo(
            f"{ready:,} pictures in {summary['out']}: {decisions or 'none done'}, "
            f"{summary['failed']:,} failed ({summary['seconds']:,.1f} s, {summary['rate_per_s']:,.1f}/s)"
        )
        if summary["added"] != ready:
            click.echo(f"{summary['added']:,} of these are new")
        for line in _failures(summary):
            click.echo(line)
        for name, count in summary["actions"].items():
            click.echo(f"{count:,} {_DEEDS[name]}")
    _say_left_out(summary, as_json=as_json)


def _say_left_out(found: Json, *, as_json: bool) -> None:
    left_out = LeftOut.of(found)
    if left_out and not as_json:
        click.echo(str(left_out))


def _failures(summary: Json) -> Iterator[str]:
    """Yield the reasons of failures, most frequent first, each with its first picture."""
    for code, count in summary["errors"].items():
        first = summary["examples"].get(code)
        example = "" if first is None else f", first {first['path']}: {first['detail']}"
        yield f"  {count:,} failed: {title_of(code)} ({code}){example}"


_DEEDS = {
    "sidecars_written": "sidecars written",
    "sidecars_kept": "sidecars of other software kept as they are; see --overwrite-sidecars",
    "sidecars_none": "pictures not known, so without a sidecar",
    "sidecars_failed": "sidecars could not be written",
    "sorted": "pictures sorted",
    "unsorted": "pictures could not be sorted",
}


def print_plan(plan: Json, *, as_json: bool) -> None:
    """Print what would be done."""
    if as_json:
        click.echo(json.dumps({"dry_run": True, **plan}))
        return
    click.echo(
        f"would tag {plan['pictures']:,} pictures ({size_text(plan['bytes'])}) by {plan['collection']} "
        f"into {plan['out']}; {plan['written_before']:,} are already written, "
        f"{plan['unreadable']:,} cannot be read"
    )
    _say_left_out(plan, as_json=as_json)
    if plan["sidecars"]:
        click.echo("would write sidecars next to the known pictures")
    if plan["sort_into"] is not None:
        click.echo(f"would {plan['by']} pictures into {plan['sort_into']}, one folder per class")
