"""The compose file run by podman-compose: a project with its containers, its API and its key."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from benchmarks.containers.machine import mebibytes, run
from exemplar_client import Exemplar
from runtime.ports import free_port

ROOT = Path(__file__).parents[2]
SERVICES = ("setup", "redis", "postgres", "key", "api", "worker")
PATIENCE_S = 600.0


def until(holds: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until something holds."""
    end = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"after {patience_s:.0f} s still not: {what}")
        time.sleep(0.5)


class Project:
    """One run of the compose file, under a name of its own."""

    def __init__(
        self, name: str, *files: str, tag: str = "latest", services: tuple[str, ...] = SERVICES
    ) -> None:
        self.name = name
        self.tag = tag
        self._files = [part for file in ("docker-compose.yml", *files) for part in ("-f", str(ROOT / file))]
        self._services = services
        self._scale = Path(tempfile.mkdtemp(prefix=f"{name}-"), "scale.yml")
        self.scale(1)
        self._publish = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self._publish}"

    def compose(self, *arguments: str) -> str:
        """Run a command of podman-compose."""
        environment = {"EXEMPLAR_PUBLISH": self._publish, "EXEMPLAR_TAG": self.tag}
        files = (*self._files, "-f", str(self._scale))
        return run("podman-compose", "-p", self.name, *files, *arguments, folder=ROOT, **environment)

    def scale(self, workers: int) -> None:
        """Set the number of workers: Debian's podman-compose takes --scale and ignores it."""
        self._scale.write_text(f"services: {{worker: {{deploy: {{replicas: {workers}}}}}}}\n")

    def up(self, *, workers: int = 1) -> None:
        """Start all that does not run, with so many workers."""
        self.scale(workers)
        self.compose("up", "-d", "--no-build", *self._services)

    def up_some(self, *services: str) -> None:
        """Start some services, and what they depend on."""
        self.compose("up", "-d", "--no-build", *services)

    def run_once(self, source: Path | None, *command: str) -> str:
        """Run a command in a new container of the API that ends with it, reading a file of this machine."""
        volumes = ("-v", f"{self.name}_data:/data", "-v", f"{self.name}_secrets:/run/exemplar:ro")
        urls = [f"-eEXEMPLAR_{one.upper()}_FILE=/run/exemplar/{one}" for one in ("database_url", "redis_url")]
        network = ("--network", f"{self.name}_default", *volumes, *urls)
        whole = ["podman", "run", "--rm", "-i", *network, f"localhost/exemplar-api:{self.tag}", *command]
        with (source or Path("/dev/null")).open("rb") as file:
            done = subprocess.run(whole, stdin=file, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stdout[-800:]} {done.stderr[-800:]}")
        return done.stdout

    def await_postgres(self) -> None:
        """Wait until PostgreSQL accepts connections by its network."""
        ask = [
            "podman",
            "exec",
            self.container("postgres"),
            "pg_isready",
            "-U",
            "exemplar",
            "-h",
            "127.0.0.1",
        ]
        until(
            lambda: subprocess.run(ask, capture_output=True, check=False).returncode == 0, "PostgreSQL ready"
        )

    def down(self, *, volumes: bool = False) -> None:
        """Remove the containers, and with `volumes` all they have written."""
        self.compose("down", *(["-v"] if volumes else []))

    def container(self, service: str, number: int = 1) -> str:
        """Return the name of a service's container."""
        return f"{self.name}_{service}_{number}"

    def exec(self, service: str, *command: str) -> str:
        """Run a command in a service's container."""
        return run("podman", "exec", self.container(service), *command)

    def write(self, service: str, source: Path, *command: str) -> None:
        """Run a command in a service's container that reads a file of this machine."""
        with source.open("rb") as file:
            inside = ["podman", "exec", "-i", self.container(service), *command]
            subprocess.run(inside, stdin=file, check=True, capture_output=True)

    def read(self, service: str, target: Path, *command: str) -> None:
        """Run a command in a service's container and keep what it prints."""
        with target.open("wb") as file:
            subprocess.run(["podman", "exec", self.container(service), *command], stdout=file, check=True)

    def signal(self, service: str, *how: str, number: int = 1) -> None:
        """Kill, stop, start or restart a container."""
        run("podman", *how, self.container(service, number))

    def is_ready(self) -> bool:
        """Return whether the API says that everything is."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def await_ready(self) -> float:
        """Wait until the service is ready; return the seconds."""
        start = time.monotonic()
        until(self.is_ready, f"{self.name} ready; {self.logs('api')}")
        return time.monotonic() - start

    def logs(self, service: str) -> str:
        """Return the end of a service's log."""
        done = subprocess.run(
            ["podman", "logs", "--tail", "5", self.container(service)],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def client(self) -> Exemplar:
        """Return a client with the first key."""
        return Exemplar(self.url, key=self.key(), timeout_s=60)

    def key(self) -> str:
        """Return the first key, which `key` has written."""
        return self.exec("api", "cat", "/data/key").strip()

    def memory(self) -> dict[str, float]:
        """Return the MiB of memory of each running container, by service and number."""
        shown = json.loads(run("podman", "stats", "--no-stream", "--format", "json"))
        mine = [one for one in shown if one["name"].startswith(f"{self.name}_")]
        return {
            one["name"].removeprefix(f"{self.name}_"): mebibytes(one["mem_usage"].partition(" ")[0])
            for one in mine
        }
