"""Other people's programs as processes: started, waited for, and stopped with all that they started."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from benchmarks.peers.measuring import Bench, Embed, until_answers

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "WANDB_MODE": "offline",
}
STOP_S = 20.0


class Server:
    """A server that was just started, and its client."""

    def __init__(self, process: subprocess.Popen[bytes], bench: Bench, http: httpx.Client, log: Path) -> None:
        self.http = http
        self._process = process
        self._content = bench.contents[0]
        self._log = log
        self._begun = time.perf_counter()

    def until_answers(self, embed: Embed) -> float:
        """Return the seconds from its start to its first answer; raises RuntimeError with its log's end."""
        try:
            until_answers(embed, self._content, lambda: self._process.poll() is None)
        except RuntimeError as error:
            raise RuntimeError(f"{error}; its log ends with: {end_of(self._log)}") from error
        return time.perf_counter() - self._begun


@contextmanager
def served(name: str, bench: Bench, command: Sequence[object], port: int) -> Iterator[Server]:
    """Run a server with the path of the weights in PEER_WEIGHTS."""
    log = bench.folder / f"{name}.log"
    environment = {"PEER_WEIGHTS": str(bench.weights.both), "BENTOML_HOME": str(bench.folder / "bentoml")}
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    with (
        started(command, log, environment) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, limits=limits) as http,
    ):
        yield Server(process, bench, http, log)


@contextmanager
def started(
    command: Sequence[object], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command with its output in a file; stop it and all that it started."""
    given = {**os.environ, **OFFLINE, **(environment or {})}
    with log.open("wb") as out:
        process = subprocess.Popen(list(map(str, command)), stdout=out, stderr=out, env=given, cwd=log.parent)
    try:
        yield process
    finally:
        _stop(process)


def end_of(log: Path) -> str:
    return " ".join(log.read_text(errors="replace").split())[-400:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    for left in alive:
        left.kill()
