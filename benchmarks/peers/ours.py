"""How this service is started and asked: as the peers are, and as it is meant to be."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from benchmarks import bulk_service
from benchmarks.bulk_inputs import enroll_some
from benchmarks.common import service
from benchmarks.peers.measuring import Bench, Figures, measure
from benchmarks.peers.others import openai_embeddings
from cli.stack import Stack

MORE = 4  # times as many files as a peer gets: fewer take little longer than the command's start


@contextmanager
def _service(bench: Bench, workers: int, **settings: str) -> Iterator[tuple[Stack, httpx.Client]]:
    with (
        service(workers=workers, encoders=bench.weights.spec, **settings) as stack,
        httpx.Client(base_url=stack.url, timeout=120) as http,
    ):
        yield stack, http


def embeddings(bench: Bench, _: Path, *, workers: int, **settings: str) -> Figures:
    begun = time.perf_counter()
    with _service(bench, workers, **settings) as (_, http):
        embed = partial(openai_embeddings, http, "/v1/embeddings", {"model": bench.weights.spec})
        embed(bench.contents[:1])
        return measure(bench, embed, time.perf_counter() - begun, callers=4, per_request=16)


def tag(bench: Bench, _: Path, *, workers: int) -> Figures:
    """Measure `exemplar tag`, which also decides and records; one alone is a call of classify."""
    begun = time.perf_counter()
    with _service(bench, workers) as (stack, http):
        embed = partial(openai_embeddings, http, "/v1/embeddings", {"model": bench.weights.spec})
        embed(bench.contents[:1])
        start_s = time.perf_counter() - begun
        enroll_some(http)
        alone_ms = [
            bulk_service.ask(http, bench.contents[n % len(bench.contents)]) for n in range(3 + bench.asks)
        ][3:]
        _tag(bench, stack, 32)  # warms up
        items = MORE * bench.items
        return Figures(start_s, items / _tag(bench, stack, items), alone_ms, None)


def _tag(bench: Bench, stack: Stack, items: int) -> float:
    out = bench.folder / f"tagged-{time.monotonic_ns()}.csv"
    command = [sys.executable, "-m", "exemplar_service", "tag", bench.files(items), "-c", "bench", "--quiet"]
    begun = time.perf_counter()
    subprocess.run([*command, "--out", out, "--url", stack.url], check=True, stdout=subprocess.DEVNULL)
    took_s = time.perf_counter() - begun
    rows = len(out.read_text().splitlines()) - 1
    assert rows == items, f"{rows} rows of {items} pictures"
    return took_s
