"""Output of commands: a table for people, JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

WIDTH = 200


def print_json(found: Any) -> None:
    """Print one JSON value on one line."""
    click.echo(json.dumps(found))


def print_rows(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, whole: Sequence[str] = ()
) -> None:
    """Print a table of plain text; long cells are folded, never cut, and `whole` columns not even folded."""
    parts = [Column(name, overflow="fold", no_wrap=name in whole) for name in columns]
    table = Table(*parts, box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH  # a pipe or a file has no width
    console.print(table)


def print_found(
    found: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    as_json: bool,
    whole: Sequence[str] = (),
) -> None:
    """Print a list as one JSON array or as a table."""
    if as_json:
        print_json(list(found))
    else:
        print_rows(columns, rows, whole=whole)
