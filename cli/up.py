"""`exemplar up`: run the service on this machine until Ctrl-C."""

from __future__ import annotations

import shlex
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from cli.command_name import command_name
from cli.sizing import workers_here
from cli.stack import Stack, StartStoppedError
from core.errors import ExemplarError
from core.settings import Settings, read_settings
from core.specs import EncoderSpec, encoder_line
from exemplar_client.async_transport import URL as USUAL
from runtime.addresses import is_loopback
from store.database import Database
from store.migrate import ensure_schema
from store.record.keys import Keys

EVERY_ADDRESS = ("0.0.0.0", "::")
POLL_S = 0.5


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Data folder.")
@click.option("--host", help="Address the API listens on; other than loopback needs a key.")
@click.option("--port", type=int, help="Port the API listens on; 0 takes a free one.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Worker processes; by default one for each core, as far as the memory goes.",
)
@click.option("--encoders", help="Encoders to offer, comma separated; the first is the default.")
def up(
    data: Path | None, host: str | None, port: int | None, workers: int | None, encoders: str | None
) -> None:
    """Run everything on this machine: embedded Redis, API and workers."""
    settings = read_settings(data=data, host=host, port=port, encoders=encoders)
    for encoder in settings.encoders:
        EncoderSpec.parse(encoder)  # rather than a worker that does not start
    needs_key = _needs_key(settings)
    environment = {} if encoders is None else {"EXEMPLAR_ENCODERS": encoders}
    stop = threading.Event()
    stack = Stack(settings, workers=workers or workers_here(settings), environment=environment)

    def end(*_: object) -> None:  # raising from a handler could be swallowed by a library
        if stop.is_set():
            stack.kill()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        stack.start(lambda line: click.echo(f"exemplar: {line}", err=True), stopping=stop.is_set)
        for line in ready_lines(settings, stack.url, needs_key=needs_key):
            click.echo(f"exemplar: {line}")
        while not stop.wait(POLL_S):
            for name in stack.restart_dead():
                click.echo(f"exemplar: {name} has died; restarting it", err=True)
    except StartStoppedError:
        pass  # stopped by the user
    finally:
        click.echo("exemplar: stopping", err=True)
        stack.stop()


def ready_lines(settings: Settings, url: str, *, needs_key: bool) -> Iterator[str]:
    """Yield what a person needs to know of a service that is ready."""
    name = command_name()
    yield f"ready at {url} (data and logs in {settings.data.resolve()}; Ctrl-C stops)"
    yield f"page: {url}/"
    if settings.host in EVERY_ADDRESS:
        port = url.rpartition(":")[2]
        seen = lan_address()
        yield f"on the network: http://{seen}:{port}/" if seen else "this machine has no network address now"
    elif not is_loopback(settings.host):
        yield f"on the network: {url}/"
    data = shlex.quote(str(settings.data))
    if needs_key:
        yield f"a key is needed: set EXEMPLAR_KEY; {name} keys create NAME --data {data} makes one"
    else:
        yield f"no key is needed from this machine; {name} keys create NAME --data {data} changes that"
    yield encoder_line(settings.encoders[0], f"{name} up --encoders")
    where = "" if url == USUAL else f" --url {url}"
    yield f"next: {name} enroll FOLDER -c NAME{where}, then {name} classify PICTURE -c NAME{where}"


def lan_address() -> str | None:
    """Return the address that other machines reach this one at, None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # chooses a route; nothing is sent (RFC 5737)
            found = str(probe.getsockname()[0])
        except OSError:
            return None
    return None if is_loopback(found) else found


def _needs_key(settings: Settings) -> bool:
    """Return whether there are keys; raise `key_missing` if there have to be and are none."""
    database = Database(settings.record_url)
    try:
        ensure_schema(database)
        if Keys(database).any_active():
            return True
    finally:
        database.close()
    if not is_loopback(settings.host):
        command = f"{command_name()} keys create NAME --data {shlex.quote(str(settings.data))}"
        raise ExemplarError(
            "key_missing",
            f"listening on {settings.host} lets other machines in, which needs a key; create one: {command}",
        )
    return False
