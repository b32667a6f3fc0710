"""A Celery worker whose Redis dies in the middle of a turn, and comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conftest import redis_server

from store.queue.wake_ups import new_celery

QUEUE = "bulk.sleeper"
WORKER = f"""
import pathlib, sys, time
from store.queue.wake_ups import new_celery

def turn(name, seconds):
    folder = pathlib.Path(sys.argv[2])
    (folder / (name + ".begun")).touch()
    time.sleep(seconds)
    (folder / (name + ".ended")).touch()

app = new_celery(sys.argv[1])
app.task(turn, name="turn")
app.worker_main(["worker", "--pool=prefork", "--concurrency=1", "--queues={QUEUE}",
                 "--without-gossip", "--without-mingle", "--without-heartbeat"])
"""


def test_turn_that_cannot_be_acknowledged_leaves_the_worker_able_to_take_others(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="exemplar-redis-") as folder:
        with redis_server(folder) as url:
            command = [sys.executable, "-c", WORKER, url, str(tmp_path)]
            worker = subprocess.Popen(command, start_new_session=True)
            send(url, "first", 1.5)
            await_(tmp_path / "first.begun", 20)
        try:
            await_(tmp_path / "first.ended", 10)
            time.sleep(0.5)  # Redis is away while the turn is acknowledged
            with redis_server(folder):
                send(url, "second", 0)
                await_(tmp_path / "second.ended", 10)
        finally:
            os.killpg(worker.pid, signal.SIGKILL)  # its child too
            worker.wait()


def send(url: str, name: str, seconds: float) -> None:
    new_celery(url).send_task("turn", kwargs={"name": name, "seconds": seconds}, queue=QUEUE)


def await_(file: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < until, f"{file.name} was not seen within {seconds} s"
        time.sleep(0.05)
