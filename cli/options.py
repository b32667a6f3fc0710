"""Options shared by several commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.client import Client
from cli.numbers import Number
from core.collections import Aim, ErrorOf, IndexName, Metric, Rule, RuleName, Views
from core.quality import FindingCode, Quality
from exemplar_client.async_transport import URL as USUAL

F = TypeVar("F", bound=Callable[..., Any])


def _client(context: click.Context, _: click.Parameter, url: str) -> Client | None:
    return None if context.resilient_parsing else Client(url)


_url = partial(
    click.option,
    "--url",
    metavar="URL",
    envvar="EXEMPLAR_URL",
    show_envvar=True,
    default=USUAL,
    show_default=True,
    help="The service.",
)
URL = _url()
SERVICE = _url("client", callback=_client)
"""The same URL, as a client of the service there."""
LOCAL = click.option(
    "--local",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Use this data folder: start a service for the command and stop it afterwards.",
)
COLLECTION = click.option(
    "-c", "--collection", metavar="NAME", help="The collection; not needed where there is only one."
)
AS_OF = click.option(
    "--version", metavar="N|NAME", help="As of this version of the collection, a number or a name."
)
COLLECTION_ARGUMENT = click.argument("collection", required=False)
"""The collection of commands that are about one; not needed where there is only one."""
DATA = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="The data folder, as that of `exemplar up --data`; default EXEMPLAR_DATA.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
VIEWS = click.option(
    "--views",
    type=click.Choice([one.value for one in Views]),
    help="Views of each picture: the picture (default), with its mirror image, or both also cropped; with "
    "several labels a picture also tiles, which looks for each label in parts of classified pictures.",
)


def _all_of(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return a decorator that adds these options to a command, in this order."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


takes_rule = _all_of(
    click.option("--rule", "name", type=click.Choice([one.value for one in RuleName]), help="Default auto."),
    click.option("--metric", type=click.Choice([one.value for one in Metric]), help="Default cosine."),
    click.option(
        "--false-reject",
        type=Number(0, 0.5),
        help=f"Target share of known pictures called unknown; default {Rule().false_reject:g}.",
    ),
    click.option(
        "--certainty",
        type=Number(0, 1),
        help=f"A best class less probable than this is ambiguous; default {Rule().certainty:g}.",
    ),
    click.option(
        "--coverage",
        type=Number(0.5, 0.99),
        help=f"Target share of candidate sets that contain the true class; default {Rule().coverage:g}.",
    ),
    click.option(
        "--max-error",
        type=Number(0.001, 0.5),
        help="Most wrong labels, as a share; answers then say whether their label needs a person.",
    ),
    click.option(
        "--error-of",
        type=click.Choice([one.value for one in ErrorOf]),
        help="What --max-error is a share of: the automatic labels, 90 % sure (default), or all pictures, on "
        "average.",
    ),
)

takes_aim = _all_of(
    click.option(
        "--aim",
        type=click.Choice([one.value for one in Aim]),
        help="What the threshold of each label is set for, where a picture has several; default "
        f"{Rule().aim.value}.",
    ),
    click.option(
        "--precision",
        type=Number(0.5, 0.99),
        help="Target share of right labels among those given, with --aim precision; default "
        f"{Rule().precision:g}.",
    ),
)

takes_index = _all_of(
    click.option(
        "--index",
        type=click.Choice([one.value for one in IndexName]),
        help="Index of the supports; default flat.",
    ),
    click.option(
        "--probes", type=click.IntRange(1, 65_536), help="Lists that a search probes (ivf, rabitq)."
    ),
    click.option(
        "--refine",
        type=click.IntRange(1, 1_000),
        help="Candidates compared exactly per neighbour (ivf, rabitq).",
    ),
)


_LIMITS = [field.name for field in fields(Quality) if field.name != "refuse"]
takes_quality = _all_of(
    click.option(
        "--refuse",
        multiple=True,
        type=click.Choice([*(one.value for one in FindingCode), "nothing"]),
        help="A finding that refuses a picture at enrolment; repeat it for several. Default: all only warn.",
    ),
    click.option(
        "--limit",
        "limits",
        type=(click.Choice(_LIMITS), float),
        metavar="NAME NUMBER",
        multiple=True,
        help=f"A limit of a finding: {', '.join(_LIMITS)}.",
    ),
)


def quality_of(options: dict[str, Any]) -> dict[str, Any] | None:
    """Return the quality settings of a command's options as the API expects them; None if none was given."""
    refuse, limits = options.pop("refuse"), options.pop("limits")
    found = {name: int(value) if value.is_integer() else value for name, value in limits}
    if refuse:
        found["refuse"] = [code for code in refuse if code != "nothing"]
    return found or None


def index_of(options: dict[str, Any]) -> dict[str, Any] | None:
    """Return the index of a command's options as the API expects it; None if none was given."""
    name, probes, refine = (options.pop(part) for part in ("index", "probes", "refine"))
    if name is None and (probes is not None or refine is not None):
        raise click.UsageError("--probes and --refine go with --index ivf or --index rabitq")
    return None if name is None else given({"name": name, "probes": probes, "refine": refine})


def rule_of(options: dict[str, Any]) -> Rule:
    """Return the rule of these options; options that were not given have their defaults."""
    found = given(options)
    name, metric = found.pop("name", RuleName.AUTO), found.pop("metric", Metric.COSINE)
    if "aim" in found:
        found["aim"] = Aim(found["aim"])
    if "error_of" in found:
        found["error_of"] = ErrorOf(found["error_of"])
    return Rule(RuleName(name), Metric(metric), **found)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}
