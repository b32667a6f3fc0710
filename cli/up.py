"""`exemplar up`: run the service on this machine until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from cli.stack import Stack, StartStoppedError
from core.settings import read_settings
from core.specs import encoder_line

POLL_S = 0.5


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Data folder.")
@click.option("--host", help="Address the API listens on; other than loopback needs a key.")
@click.option("--port", type=int, help="Port the API listens on; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@click.option("--encoders", help="Encoders to offer, comma separated; the first is the default.")
def up(data: Path | None, host: str | None, port: int | None, workers: int, encoders: str | None) -> None:
    """Run everything on this machine: embedded Redis, API and workers."""
    settings = read_settings(data=data, host=host, port=port, encoders=encoders)
    environment = {} if encoders is None else {"EXEMPLAR_ENCODERS": encoders}
    stop = threading.Event()
    stack = Stack(settings, workers=workers, environment=environment)

    def end(*_: object) -> None:  # raising from a handler could be swallowed by a library
        if stop.is_set():
            stack.kill()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        stack.start(lambda line: click.echo(f"exemplar: {line}", err=True), stopping=stop.is_set)
        click.echo(
            f"exemplar: ready at {stack.url} (data and logs in {settings.data.resolve()}; Ctrl-C stops)"
        )
        click.echo(f"exemplar: {encoder_line(settings.encoders[0], 'exemplar up --encoders')}")
        while not stop.wait(POLL_S):
            for name in stack.restart_dead():
                click.echo(f"exemplar: {name} has died; restarting it", err=True)
    except StartStoppedError:
        pass  # stopped by the user
    finally:
        click.echo("exemplar: stopping", err=True)
        stack.stop()
