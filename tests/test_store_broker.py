"""A Celery worker whose Redis dies while it handles a wake-up, and comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import redis_server
from waiting import until

from store.queue.wake_ups import new_celery

pytestmark = pytest.mark.processes

QUEUE = "bulk.sleeper"
WORKER = f"""
import pathlib, sys, time
from store.queue.wake_ups import new_celery

def turn(name):
    folder = pathlib.Path(sys.argv[2])
    (folder / (name + ".begun")).touch()
    while not (folder / (name + ".go")).exists():
        time.sleep(0.01)
    (folder / (name + ".ended")).touch()

app = new_celery(sys.argv[1])
app.task(turn, name="turn")
app.worker_main(["worker", "--pool=prefork", "--concurrency=1", "--queues={QUEUE}",
                 "--without-gossip", "--without-mingle", "--without-heartbeat"])
"""


def test_wake_up_that_cannot_be_acknowledged_does_not_block_the_worker(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="exemplar-redis-") as folder:
        with redis_server(folder) as url:
            command = [sys.executable, "-c", WORKER, url, str(tmp_path)]
            with (tmp_path / "log").open("wb") as log:
                worker = subprocess.Popen(command, start_new_session=True, stderr=log)
            send(url, "first")
            until((tmp_path / "first.begun").exists)
        try:  # Redis is down while the wake-up is acknowledged
            (tmp_path / "first.go").touch()
            until(lambda: "Couldn't ack" in (tmp_path / "log").read_text())
            with redis_server(folder):
                (tmp_path / "second.go").touch()
                send(url, "second")
                until((tmp_path / "second.ended").exists)
        finally:
            os.killpg(worker.pid, signal.SIGKILL)  # its child too
            worker.wait()


def send(url: str, name: str) -> None:
    new_celery(url).send_task("turn", kwargs={"name": name}, queue=QUEUE)
