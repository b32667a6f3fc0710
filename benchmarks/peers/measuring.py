"""What is measured of a system: the first answer, one picture alone, and many."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks.peers.weights import Weights
from core.vectors import Vectors

COMPARED = 16  # pictures whose vectors are compared with exact ones
LONGEST_S = 600  # to the first answer; a busy machine compiles slowly


@dataclass(frozen=True, slots=True)
class Bench:
    """The pictures, the weights, and how much is asked."""

    contents: list[bytes]
    weights: Weights
    folder: Path
    seconds: float
    asks: int
    items: int
    """For systems that take files."""

    def files(self, count: int) -> Path:
        """Return a folder of so many pictures, repeating what there is."""
        folder = self.folder / f"files-{count}"
        if not folder.exists():
            folder.mkdir()
            for n in range(count):
                (folder / f"{n:06}.jpg").write_bytes(self.contents[n % len(self.contents)])
        return folder


@dataclass(frozen=True, slots=True)
class Figures:
    """What one round found of a system."""

    start_s: float
    per_s: float
    alone_ms: list[float]
    vectors: Vectors | None


class Embed(Protocol):
    """Asks a system for the vectors of some pictures."""

    def __call__(self, contents: Sequence[bytes]) -> Vectors: ...


def measure(bench: Bench, embed: Embed, start_s: float, *, callers: int, per_request: int) -> Figures:
    """Measure a system that answers calls, the first one `start_s` after it was started."""
    vectors = np.concatenate([embed([content]) for content in bench.contents[:COMPARED]])
    alone_ms = [
        timed(lambda n=n: embed([bench.contents[n % len(bench.contents)]])) for n in range(bench.asks)
    ]
    per_s = _rate(bench, embed, callers, per_request)
    return Figures(start_s, per_s, alone_ms, vectors)


def _rate(bench: Bench, embed: Embed, callers: int, per_request: int) -> float:
    """Return pictures a second of callers that ask without pause, after a first request of each."""
    contents = bench.contents

    def call(caller: int, until_s: float) -> int:
        done, at = 0, caller * per_request
        while done == 0 or time.perf_counter() < until_s:
            batch = [contents[(at + n) % len(contents)] for n in range(per_request)]
            done += len(embed(batch))
            at += callers * per_request
        return done

    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(lambda caller: call(caller, 0.0), range(callers)))
        begun = time.perf_counter()
        done = sum(pool.map(lambda caller: call(caller, begun + bench.seconds), range(callers)))
        return done / (time.perf_counter() - begun)


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds of some work."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def until_answers(embed: Embed, content: bytes, is_running: Callable[[], bool]) -> None:
    """Wait for the first answer; raises RuntimeError with what hindered it last, if none will come."""
    last: Exception | None = None
    ends = time.monotonic() + LONGEST_S
    while time.monotonic() < ends and is_running():
        try:
            embed([content])
            return
        except Exception as error:  # not yet listening
            last = error
        time.sleep(0.05)
    what = f"it did not answer in {LONGEST_S} s" if is_running() else "it ended"
    raise RuntimeError(f"{what}: {last}")
