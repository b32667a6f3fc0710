"""A bulk job on worker hosts that share nothing but PostgreSQL, Redis and S3; one is cut off, one is killed.

python -m benchmarks.hosts [--hosts 3] [--items 20000] [--kind classify|enroll] [--cut-s 30]

Hosts are network namespaces of this machine, so root is needed; settings are those of a new service.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
from sqlalchemy import func, or_, select

from benchmarks.common import emit, picture
from benchmarks.hosts.backbone import backbone
from benchmarks.hosts.network import cut, inside, join, network
from cli.supervisor import Child, Supervisor
from core.settings import read_settings
from runtime.ports import free_port
from store import tables as t
from store.migrate import ensure_schema
from store.store import Store, open_store

COLLECTION = "bench"
CLASSES = 10
START_S = 180.0


class Hosts:
    """The worker hosts and an API, which is asked from outside."""

    def __init__(self, names: list[str], folder: Path, shared: dict[str, str]) -> None:
        self.names = names
        self.url = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        self._shared = {
            "EXEMPLAR_LOG_LEVEL": "WARNING",
            "EXEMPLAR_PORT": self.url.rpartition(":")[2],
            **shared,
        }
        os.environ.update({key: value for key, value in shared.items() if key.startswith("AWS_")})
        asked = {key: value for key, value in self._shared.items() if key.startswith("EXEMPLAR_")}
        self.store: Store = open_store(read_settings({**asked, "EXEMPLAR_DATA": str(folder / "checker")}))
        self._supervisor = Supervisor()

    def start(self) -> None:
        """Start everything and return once every host serves."""
        ensure_schema(self.store.database)
        self._start("api", [sys.executable, "-m", "exemplar_service", "api"])
        for name in self.names:
            self._start(
                name, inside(name, sys.executable, "-m", "exemplar_service", "worker", "--name", name)
            )
        self.await_(lambda: len(self.store.workers.alive()) == len(self.names))
        self.await_(lambda: httpx.get(f"{self.url}/readyz").status_code == httpx.codes.OK)

    def stop(self) -> None:
        """Stop everything."""
        self._supervisor.stop()
        self.store.database.close()

    def kill(self, name: str) -> None:
        """Let a host lose its power: all of its processes end at once, and nobody starts them again."""
        child = self._supervisor.child(name)
        family = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
        self._supervisor.children.remove(child)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)

    def await_(self, what: Callable[[], object], timeout_s: float = START_S) -> float:
        """Wait until something is so, ten times a second; return how long that took."""
        begun = time.monotonic()
        while True:
            self._supervisor.restart_dead()
            with suppress(httpx.TransportError):
                if what():
                    return time.monotonic() - begun
            if time.monotonic() - begun > timeout_s:
                raise TimeoutError(f"waited {timeout_s:.0f} s in vain; logs are under {self._folder}")
            time.sleep(0.1)

    def held_by(self, name: str) -> list[range]:
        """Return the items of the chunks that a host holds."""
        chunk = t.chunk.c
        mine = (chunk.state == "running", chunk.lease_owner.startswith(f"{name}:"))
        with self.store.database.read() as connection:
            rows = connection.execute(select(chunk.first_item, chunk.size).where(*mine))
            return [range(row.first_item, row.first_item + row.size) for row in rows]

    def are_settled(self, job: str, items: list[range]) -> bool:
        """Say whether all of these items are done, by whomever: chunks that come back are split."""
        chunk = t.chunk.c
        some = or_(*((chunk.first_item < r.stop) & (chunk.first_item + chunk.size > r.start) for r in items))
        is_open = (chunk.job_id == job, chunk.state != "settled", some)
        with self.store.database.read() as connection:
            return connection.execute(select(func.count()).where(*is_open)).scalar_one() == 0

    def _start(self, name: str, command: list[str]) -> None:
        own = {**self._shared, "EXEMPLAR_DATA": str(self._folder / name)}
        self._supervisor.start(Child(name, command, own, self._folder / "logs" / f"{name}.log"))


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's server writes a line for every request
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hosts", type=int, default=3, choices=(2, 3, 4))
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--kind", default="classify", choices=("classify", "enroll"))
    parser.add_argument("--cut-s", type=float, default=30.0)
    parser.add_argument("--no-faults", action="store_true")
    asked = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("expected root, who may lay out network namespaces")
    with _hosts([f"host{n}" for n in range(1, asked.hosts + 1)]) as hosts, httpx.Client(timeout=900) as http:
        http.base_url = httpx.URL(hosts.url)
        http.post("/v1/collections", json={"name": COLLECTION}).raise_for_status()
        for number in range(CLASSES):
            _enroll(http, number)
        begun = time.monotonic()
        job = _submit(http, asked.kind, asked.items)
        strikes = {} if asked.no_faults else _strike(hosts, http, job, asked.items, asked.cut_s)
        hosts.await_(lambda: http.get(f"/v1/jobs/{job}").json()["finished_at"], 1800)
        took_s = time.monotonic() - begun
        found = _checked(hosts, job, asked.kind, asked.items)
        emit(
            "hosts",
            hosts=asked.hosts,
            kind=asked.kind,
            items=asked.items,
            per_s=round(asked.items / took_s, 1),
            **strikes,
            **found,
            load=[round(load, 1) for load in os.getloadavg()],
        )
    sys.exit(any(found.values()))


@contextmanager
def _hosts(names: list[str]) -> Iterator[Hosts]:
    with (
        tempfile.TemporaryDirectory(prefix="exemplar-hosts-") as folder,
        network(names),
        backbone(Path(folder)) as shared,
    ):
        hosts = Hosts(names, Path(folder), shared)
        try:
            hosts.start()
            yield hosts
        finally:
            hosts.stop()


def _enroll(http: httpx.Client, number: int) -> None:
    http.post(
        f"/v1/collections/{COLLECTION}/enroll",
        params={"label": str(number)},
        content=picture(1_000_000 + number),
        headers={"Content-Type": "image/png", "Prefer": "wait=60"},
    ).raise_for_status()


def _submit(http: httpx.Client, kind: str, items: int) -> str:
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w") as archive:
            for n in range(items):
                archive.writestr(f"{n % CLASSES}/{n:06}.png", picture(n))
        size = file.tell()
        file.seek(0)
        answer = http.post(
            f"/v1/collections/{COLLECTION}/bulk",
            params={"kind": kind},
            content=iter(lambda: file.read(1 << 20), b""),
            headers={"Content-Type": "application/zip", "Content-Length": str(size)},
        )
    answer.raise_for_status()
    return str(answer.json()["id"])


def _strike(hosts: Hosts, http: httpx.Client, job: str, items: int, cut_s: float) -> dict[str, object]:
    """Cut the first host off for a while and kill the last one; return how long it took to get over each."""

    def done() -> int:
        return int(http.get(f"/v1/jobs/{job}").json()["progress"]["done"])

    first, last = hosts.names[0], hosts.names[-1]
    hosts.await_(lambda: done() > items // 10)
    hosts.await_(lambda: hosts.held_by(first))
    cut(first)
    cut_at = time.monotonic()
    left = hosts.held_by(first)
    after_cut_s = hosts.await_(lambda: not left or hosts.are_settled(job, left))
    time.sleep(max(0.0, cut_at + cut_s - time.monotonic()))
    join(first)
    back_s = hosts.await_(lambda: done() >= items or hosts.held_by(first))
    hosts.await_(lambda: done() >= items or hosts.held_by(last))
    held = hosts.held_by(last)
    hosts.kill(last)
    after_kill_s = hosts.await_(lambda: not held or hosts.are_settled(job, held))
    return {
        "items_of_cut_host": sum(map(len, left)),
        "cut_s": cut_s,
        "settled_by_others_after_cut_s": round(after_cut_s, 1),
        "at_work_after_it_was_back_s": round(back_s, 1),
        "items_of_killed_host": sum(map(len, held)),
        "settled_by_others_after_kill_s": round(after_kill_s, 1),
    }


def _checked(hosts: Hosts, job: str, kind: str, items: int) -> dict[str, int]:
    """Count what is there more or less than once: results, and the supports of an enrolment."""
    with hosts.store.database.read() as connection:
        chunks = connection.execute(
            select(t.chunk.c.results).where(t.chunk.c.job_id == job, t.chunk.c.state == "settled")
        ).scalars()
        results = [result for of_chunk in chunks for result in of_chunk]
        pictures = connection.execute(
            select(t.support.c.picture).where(t.support.c.class_id.is_not(None))
        ).scalars()
        kept = Counter(pictures)
    times = Counter(result["item"] for result in results if result["status"] == "done")
    found = {
        "lost": sum(times[n] == 0 for n in range(items)),
        "doubled": sum(count - 1 for count in times.values() if count > 1),
        "failed": sum(result["status"] == "failed" for result in results),
    }
    if kind == "enroll":
        found["supports_lost"] = CLASSES + items - len(kept)
        found["supports_doubled"] = sum(kept.values()) - len(kept)
    return found


if __name__ == "__main__":
    main()
