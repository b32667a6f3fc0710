"""`exemplar api` and `exemplar worker`: one process each, configured by EXEMPLAR_* and these options."""

from __future__ import annotations

import signal
import socket
import sys
from threading import Event
from typing import NoReturn

import click

from core.errors import RECORD_REFUSALS, ExemplarError
from core.jobs import Lane
from core.packages import require_packages
from core.settings import read_settings


@click.command()
@click.option("--host", help="Address to listen on; other than loopback needs a key.")
@click.option("--port", type=int, help="Port to listen on.")
def api(host: str | None, port: int | None) -> None:
    """Run one API process."""
    from api.serve import serve  # noqa: PLC0415 - a worker does not need it

    try:
        serve(read_settings(host=host, port=port))
    except ExemplarError as error:
        if error.code in RECORD_REFUSALS and not sys.stderr.isatty():
            _end_later(error)
        raise


@click.command()
@click.option(
    "--name", help="Name of the worker, unique and stable across restarts; default the host's name."
)
@click.option("--encoder", "encoders", multiple=True, help="Serve only this encoder (repeatable).")
@click.option(
    "--lane",
    "lanes",
    multiple=True,
    type=click.Choice([lane.value for lane in Lane]),
    help="Serve only this lane.",
)
@click.option(
    "--check",
    type=click.Choice(["live", "ready"]),
    help="Do not run; check that the worker of this name is live or ready, exit code 1 if not.",
)
def worker(name: str | None, encoders: tuple[str, ...], lanes: tuple[str, ...], check: str | None) -> None:
    """Run one worker process."""
    if check is not None:
        _check(name or socket.gethostname(), ready=check == "ready")
        return
    require_packages("a worker", "torch", "faiss", "httpcore", "standardwebhooks")
    from worker.process import run_worker  # noqa: PLC0415 - the API does not need it

    settings = read_settings()
    run_worker(
        settings,
        name=name,
        encoders=encoders or settings.encoders,
        lanes=[lane for lane in Lane if lane.value in lanes] or list(Lane),  # interactive work goes first
    )


def _end_later(error: ExemplarError) -> NoReturn:
    """Say why the process ends, and wait: whatever restarts it would do so at once."""
    from runtime.processes import REFUSED_S  # noqa: PLC0415 - a probe of a worker does not need it

    stopped = Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    click.echo(f"exemplar: {error.message} ({error.code})", err=True)
    stopped.wait(REFUSED_S)
    sys.exit(2)


def _check(name: str, *, ready: bool) -> None:
    from worker.heartbeat_file import check_heartbeat  # noqa: PLC0415 - the API does not need it

    try:
        state = check_heartbeat(read_settings().data, name, ready=ready)
    except ExemplarError as error:
        click.echo(f"exemplar: {error.message}", err=True)
        sys.exit(1)
    click.echo(f"{name} is {state.state}")
