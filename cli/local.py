"""A service for one command: the one that runs, or one of the command's own on a data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from cli.client import Client
from cli.stack import Stack
from core.settings import read_settings


@contextmanager
def reached(url: str, local: Path | None) -> Iterator[Client]:
    """Give a client of the service at the URL, or of one that runs on `local` as long as it is needed.

    The folder is that of `exemplar up --data`, before and after. Raises what `Stack.start` raises.
    """
    if local is None:
        yield Client(url)
        return
    stack = Stack(read_settings(data=local, host="127.0.0.1", port=0), workers=1, environment={})
    try:
        click.echo(f"exemplar: starting a service on {local}", err=True)
        stack.start(lambda _: None)
        yield Client(stack.url)
    finally:
        stack.stop()
