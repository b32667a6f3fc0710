"""The service that a command uses: a running one, or one started for the command on a data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from cli.client import Client
from cli.stack import Stack
from core.settings import read_settings


@contextmanager
def service_client(url: str, local: Path | None) -> Iterator[Client]:
    """Yield a client of the service at the URL, or of one that runs on `local` while it is needed.

    The folder may also be used by `exemplar up --data`. Raises what `Stack.start` raises.
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
