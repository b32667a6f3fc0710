"""What the bulk benchmark asks of a running service: jobs, and CPU and memory of its processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.bulk_inputs import enroll_some
from benchmarks.common import service
from cli.stack import Stack

BULK = "/v1/collections/bench/bulk?kind=classify&top=5"
ASK = {"Prefer": "wait=60", "Content-Type": "image/jpeg"}


@contextmanager
def bench(spec: str, *, workers: int, **settings: str) -> Iterator[tuple[Stack, httpx.Client]]:
    """Run a service of one encoder with a collection `bench` that knows some classes."""
    with (
        service(workers=workers, encoders=spec, **settings) as stack,
        httpx.Client(base_url=stack.url, timeout=900) as http,
    ):
        enroll_some(http)
        yield stack, http


def submit(http: httpx.Client, source: Path) -> tuple[str, float]:
    """Upload an archive, or name a folder; return the job and the seconds until its 202."""
    begun = time.perf_counter()
    if source.is_dir():
        answer = http.post(BULK, json={"folder": str(source)})
    else:
        with source.open("rb") as body:
            answer = http.post(
                BULK,
                content=iter(lambda: body.read(1 << 20), b""),
                headers={"Content-Type": "application/zip", "Content-Length": str(source.stat().st_size)},
            )
    assert answer.status_code == 202, answer.text
    return answer.json()["id"], time.perf_counter() - begun


def wait(http: httpx.Client, job: str) -> dict[str, Any]:
    """Return the job once it has ended."""
    while True:
        found = http.get(f"/v1/jobs/{job}").raise_for_status().json()
        if found["finished_at"]:
            return found
        time.sleep(0.1)


def read_results(http: httpx.Client, job: str) -> int:
    """Read all results as they stream; return how many came."""
    with http.stream("GET", f"/v1/jobs/{job}/results", headers={"Accept": "application/x-ndjson"}) as answer:
        return sum(part.count(b"\n") for part in answer.iter_bytes())


def ask(http: httpx.Client, content: bytes) -> float:
    """Classify one picture as a person would; return milliseconds."""
    begun = time.perf_counter()
    answer = http.post("/v1/collections/bench/classify", content=content, headers=ASK)
    ms = (time.perf_counter() - begun) * 1000
    assert answer.status_code == 200, answer.text
    return ms


def processes(stack: Stack) -> dict[str, psutil.Process]:
    """Return the service's processes by name; a worker's child, which does the work, stands apart."""
    found = {}
    names = ["redis", "api", *(name for name in ("worker-1", "worker-2", "worker-3", "worker-4"))]
    for name in names:
        try:
            process = psutil.Process(stack.pid_of(name))
        except (KeyError, StopIteration, ValueError):
            continue
        found[name] = process
        for number, child in enumerate(process.children(recursive=True)):
            found[f"{name} child {number}" if number else f"{name} child"] = child
    return found


def cpu_s(stack: Stack) -> dict[str, float]:
    """CPU seconds that each process has used."""
    return {name: sum(process.cpu_times()[:2]) for name, process in processes(stack).items()}


def peaks_mib(stack: Stack) -> dict[str, int]:
    """Peak resident memory of each process since it began, or since `reset_peaks`."""
    found = {}
    for name, process in processes(stack).items():
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        found[name] = next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
    return found


def reset_peaks(stack: Stack) -> None:
    """Let the peaks begin anew."""
    for process in processes(stack).values():
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
