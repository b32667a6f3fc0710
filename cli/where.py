"""Options about metadata of supports: filters, and what is to be changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from core.where import parse_where

WHERE = click.option(
    "--where",
    "wheres",
    multiple=True,
    metavar="NAME=VALUE",
    help="Only supports whose metadata have this value; repeat a name for any of several values.",
)


def where_of(wheres: Sequence[str]) -> str | None:
    """Return the filter of such options as the API takes it, None without any."""
    if not wheres:
        return None
    found: dict[str, list[Any]] = {}
    for name, value in map(_split, wheres):
        found.setdefault(name, []).append(_scalar(value))
    text = json.dumps(found)
    parse_where(text)  # says what is wrong with it before anything is sent
    return text


def metadata_of(texts: Sequence[str]) -> dict[str, Any] | None:
    """Return changes of metadata, `NAME=VALUE` or `NAME=` to remove it; None without any."""
    return {name: _scalar(value) if value else None for name, value in map(_split, texts)} or None


def _split(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not name or not mark:
        raise click.UsageError(f"expected NAME=VALUE, such as site=north, got {text!r}")
    return name, value


def _scalar(text: str) -> str | int | float | bool:
    """Return a number or truth value where a text is one as JSON; quotes keep `"1"` a text."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, str | int | float | bool) else text
