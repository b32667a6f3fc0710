"""A bulk job over many objects under one prefix: time to the first answer, and memory.

    python -m benchmarks.bucket [--objects 100000] [--encoder SPEC] [--seconds 600] [--parts listing,job]

The S3 server is moto's, in a process of its own; its figures are not those of S3. JSON lines: the listing
alone in this process, against fsspec's `find`, which lists everything first; then the job in a service.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fsspec

from benchmarks.bulk_service import bench, peaks_mib, reset_peaks
from benchmarks.common import DEFAULT, emit, picture
from formats.remote_folders import list_objects
from formats.remote_names import prefix_of

BUCKET = "pictures"
URL = f"s3://{BUCKET}/2026/"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
ACCOUNT = "123456789012"
SIDE = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="how long the job may take; then cancelled"
    )
    parser.add_argument("--parts", default="listing,job")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.objects)
        return
    with bucket(asked.objects):
        if "listing" in asked.parts:
            for name, listing in (("page by page", lazily), ("fsspec find", at_once)):
                emit("bucket", part="listing", how=name, objects=asked.objects, **listed(listing))
        if "job" in asked.parts:
            emit("bucket", part="job", objects=asked.objects, **job(asked.encoder, asked.seconds))


def serve(count: int) -> None:
    """Run the S3 server with so many pictures until standard input ends."""
    from moto.backends import get_backend
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it names each request
    store: Any = get_backend("s3")[ACCOUNT]["aws"]
    store.create_bucket(BUCKET, "us-east-1")
    for number in range(count):
        store.put_object(BUCKET, f"2026/{number:07}.png", picture(number, SIDE))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    print("http://{}:{}".format(*server.get_host_and_port()), flush=True)
    sys.stdin.read()
    server.stop()


@contextmanager
def bucket(count: int) -> Iterator[None]:
    """Run the server in a process of its own; the environment names it."""
    command = [sys.executable, "-m", "benchmarks.bucket", "--serve", "--objects", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin and server.stdout
        url = server.stdout.readline().strip()
        os.environ.update({**KEYS, "AWS_ENDPOINT_URL": url})
        try:
            yield
        finally:
            server.stdin.close()


def lazily() -> Iterator[Any]:
    """List as a worker does."""
    yield from list_objects(prefix_of(URL))


def at_once() -> Iterator[Any]:
    """List as fsspec's `find` does, which a folder's reader would use."""
    files, path = fsspec.core.url_to_fs(URL, use_listings_cache=False)
    yield from files.find(path, detail=True).items()


def listed(listing: Callable[[], Iterator[Any]]) -> dict[str, Any]:
    """Return the seconds to the first object and to the last, and the most memory meanwhile."""
    next(listing())  # the connection
    tracemalloc.start()
    begun = time.perf_counter()
    objects = listing()
    next(objects)
    first_s = time.perf_counter() - begun
    count = 1 + sum(1 for _ in objects)
    all_s = time.perf_counter() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "first_s": round(first_s, 2),
        "all_s": round(all_s, 1),
        "listed": count,
        "peak_mib": round(peak / 2**20, 1),
    }


def job(encoder: str, limit_s: float) -> dict[str, Any]:
    """Classify everything under the prefix; return times, and the growth of each process's peak memory."""
    with bench(encoder, workers=1, remote_prefixes=f"s3://{BUCKET}/") as (stack, http):
        reset_peaks(stack)
        before = peaks_mib(stack)
        begun = time.perf_counter()
        answer = http.post("/v1/collections/bench/bulk?kind=classify", json={"prefix": URL})
        assert answer.status_code == 202, answer.text
        accepted_s, path = time.perf_counter() - begun, answer.headers["location"]
        first_s = None
        while True:
            found = http.get(path).raise_for_status().json()
            seconds = time.perf_counter() - begun
            if first_s is None and http.get(f"{path}/results", params={"limit": 1}).json()["items"]:
                first_s = time.perf_counter() - begun
            if found["finished_at"] or seconds > limit_s:
                break
            time.sleep(0.05 if first_s is None else 1.0)
        after = peaks_mib(stack)
        if not found["finished_at"]:
            http.post(f"{path}/cancel")
    progress = found["progress"]
    return {
        "accepted_s": round(accepted_s, 2),
        "first_answer_s": None if first_s is None else round(first_s, 2),
        "seconds": round(seconds, 1),
        "state": found["state"],
        "done": progress["done"],
        "failed": progress["failed"],
        "per_s": round(progress["done"] / seconds, 1),
        "peak_mib": after,
        "grown_mib": {name: after[name] - before.get(name, 0) for name in after},
    }


if __name__ == "__main__":
    main()
