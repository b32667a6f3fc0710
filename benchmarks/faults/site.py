"""A service of real processes, each of which a fault can strike: Redis, API, workers, database."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import redis
from sqlalchemy import text

from benchmarks.faults.postgres import Postgres
from cli.stack import redis_command
from cli.supervisor import Child, Supervisor
from core.settings import read_settings
from runtime.ports import free_port
from store.migrate import ensure_schema
from store.store import Store, open_store

START_S = 180.0


@dataclass(frozen=True)
class Plan:
    """What a scenario needs of its site."""

    workers: int = 2
    settings: dict[str, str] = field(default_factory=dict)
    strange: str = ""
    """What `benchmarks.faults.process` adds, `poison` or `clock`; empty runs processes as they are."""
    own_folders: bool = False
    """Whether each worker has a data folder of its own, as on a host of its own; blobs are shared."""
    disk_mb: int = 0
    """Size of a disk of its own for the data folder; 0 takes the disk there is."""


class Site:
    """One service in a folder of its own; the caller's thread starts again what dies while it rests."""

    def __init__(self, plan: Plan, database_url: str, postgres: Postgres | None) -> None:
        self.plan = plan
        self.postgres = postgres
        self.folder = Path(tempfile.mkdtemp(prefix="exemplar-faults-"))
        self.logs = self.folder / "logs"
        self.data = self.folder / "data"
        self.data.mkdir()
        if plan.disk_mb:
            _mount(self.data, plan.disk_mb)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.environment = {
            "EXEMPLAR_LOG_LEVEL": "WARNING",
            "EXEMPLAR_LEASE_S": "3",
            "EXEMPLAR_SWEEP_S": "1",
            "EXEMPLAR_STALL_S": "15",
            "EXEMPLAR_CHUNK_ITEMS": "8",
            "EXEMPLAR_DATA": str(self.data),
            "EXEMPLAR_DATABASE_URL": database_url or f"sqlite:///{self.data}/record.sqlite",
            "EXEMPLAR_BLOBS_URL": f"file://{self.data}/blobs",
            "EXEMPLAR_REDIS_URL": f"unix://{self.folder}/redis.sock",
            **{f"EXEMPLAR_{name.upper()}": value for name, value in plan.settings.items()},
            "EXEMPLAR_PORT": self.url.rpartition(":")[2],
            "FAULTS": plan.strange,
        }
        settings = read_settings({k: v for k, v in self.environment.items() if k != "FAULTS"})
        self.encoder = settings.encoders[0]
        self.store: Store = open_store(settings)
        self.redis = redis.Redis.from_url(self.environment["EXEMPLAR_REDIS_URL"], socket_timeout=5)
        self._supervisor = Supervisor()

    def start(self) -> None:
        """Start everything and return once it is ready."""
        ensure_schema(self.store.database)
        if self.plan.strange == "clock":
            with self.store.database.write() as connection:
                connection.execute(text("CREATE TABLE faults_clock (seconds DOUBLE PRECISION)"))
                connection.execute(text("INSERT INTO faults_clock VALUES (0)"))
        self._start("redis", redis_command(self.data, self.folder / "redis.sock"))
        self.await_((self.folder / "redis.sock").exists)
        self._start("api", _command(self.plan.strange, "api"))
        for number in range(1, self.plan.workers + 1):
            self.add_worker(f"worker-{number}")
        self.await_(lambda: len(self.store.workers.alive()) == self.plan.workers)
        self.await_(lambda: self.answers("/readyz"))

    def stop(self) -> None:
        """Stop everything in good order; the folder stays for the checker."""
        self._supervisor.stop()

    def remove(self) -> None:
        """Remove what is left of it."""
        self.store.database.close()
        self.redis.close()
        if self.plan.disk_mb:
            _unmount(self.data)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def workers(self) -> list[str]:
        """The names of the workers that are to run."""
        return [child.name for child in self._supervisor.children if child.name.startswith("worker")]

    def data_of(self, worker: str) -> Path:
        """Return the data folder of a worker."""
        return self.folder / worker if self.plan.own_folders else self.data

    def add_worker(self, name: str) -> None:
        """Start one more worker."""
        self._start(
            name, _command(self.plan.strange, "worker", "--name", name), EXEMPLAR_DATA=str(self.data_of(name))
        )

    def stop_child(self, name: str) -> int:
        """Stop a process in good order and for good; return its exit code."""
        child = self._supervisor.child(name)
        self._supervisor.stop_child(name)
        assert child.process is not None
        return child.process.returncode

    def drop_child(self, name: str) -> None:
        """Kill a process that nobody starts again."""
        self.signal(name, signal.SIGKILL)
        self._supervisor.children.remove(self._supervisor.child(name))

    def pid_of(self, name: str) -> int:
        """Return the process id, 0 while it does not run."""
        return self._supervisor.child(name).pid

    def family_of(self, name: str) -> list[psutil.Process]:
        """Return a process and its children; empty while it does not run."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid_of(name) or -1) if self.pid_of(name) else None
            return [] if process is None else [process, *process.children(recursive=True)]
        return []

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process and its children."""
        for process in self.family_of(name):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def rest(self, seconds: float) -> None:
        """Let time pass while what died is started again."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._supervisor.restart_dead()
            time.sleep(min(left, 0.05))

    def await_(self, what: Callable[[], object], timeout_s: float = START_S) -> float:
        """Rest until something is so; return how long that took. Raises TimeoutError."""
        begun = time.monotonic()
        while not _is_so(what):
            if time.monotonic() - begun > timeout_s:
                raise TimeoutError(f"waited {timeout_s:.0f} s in vain; the logs end with:\n{self._tails()}")
            self.rest(0.1)
        return time.monotonic() - begun

    def answers(self, path: str) -> bool:
        """Say whether the API answers 200."""
        return httpx.get(f"{self.url}{path}", timeout=5).status_code == httpx.codes.OK

    def _start(self, name: str, command: Sequence[str], **more: str) -> None:
        log = self.logs / f"{name}.log"
        self._supervisor.start(Child(name, command, {**self.environment, **more}, log))

    def _tails(self) -> str:
        logs = sorted(self.logs.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in logs)


def _is_so(what: Callable[[], object]) -> bool:
    try:
        return bool(what())
    except Exception:  # whatever it asks may be away at this moment
        return False


def _command(strange: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.faults.process" if strange else "exemplar_service", *arguments]


def _mount(folder: Path, mb: int) -> None:
    if os.system(f"mount -t tmpfs -o size={mb}m exemplar-faults {folder} 2>/dev/null") != 0:
        raise PermissionError("a disk of its own needs the right to mount a tmpfs")


def _unmount(folder: Path) -> None:
    os.system(f"umount -l {folder}")
