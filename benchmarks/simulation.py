"""Queue, workers and record as a discrete-event simulation (SimPy), from measured times of the stages.

It follows the product: a worker claims what fills a batch (interactive work first), decodes it while the
batch before is in the encoder, and settles one batch behind; claims and settlements are transactions that
the record runs one, or a few, at a time; what is computed takes a core of the worker's host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import simpy

Steps = Iterator[simpy.Event]


@dataclass(frozen=True, slots=True)
class Times:
    """What the stages take, in seconds; `embed_s` of a picture computes only if `embeds_on_core`."""

    claim_s: float  # of a transaction that claims a batch
    settle_s: float  # of a transaction that settles a batch
    load_s: float  # of a picture: read, decode, prepare
    embed_s: float
    decide_s: float  # of a picture: search, decide, pack the result
    idle_s: float = 0.02  # at most so long does an idle worker not notice new work
    embeds_on_core: bool = True


@dataclass(frozen=True, slots=True)
class Site:
    """Where it runs: hosts of so many cores, workers spread over them, and a record."""

    workers: int
    hosts: int = 1
    cores: int = 2  # of each host
    batch: int = 64
    transactions: int = 1  # that the record runs at the same time


@dataclass(frozen=True, slots=True)
class Load:
    """What comes in: bulk chunks there from the start, and interactive pictures at random moments."""

    bulk_chunks: int = 0
    chunk_items: int = 64
    interactive_per_s: float = 0.0
    for_s: float = 0.0  # how long interactive pictures come


@dataclass(slots=True)
class Seen:
    """What the simulation saw: when items were settled, and how long people waited."""

    ended_s: float = 0.0
    items: int = 0
    batches: int = 0
    waits_s: list[float] = field(default_factory=list)
    record_busy_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Chunk:
    items: int
    came_s: float
    interactive: bool


def simulate(load: Load, site: Site, times: Times, *, seed: int = 0, limit_s: float = 1e9) -> Seen:
    """Run until everything that came is settled, or so many simulated seconds are over."""
    world = _World(load, site, times, seed)
    world.environment.run(until=world.environment.any_of([world.done, world.environment.timeout(limit_s)]))
    return world.seen


class _World:
    def __init__(self, load: Load, site: Site, times: Times, seed: int) -> None:
        self.environment = simpy.Environment()
        self.load, self.site, self.times, self.seen = load, site, times, Seen()
        self.random = np.random.default_rng(seed)
        self.urgent: deque[_Chunk] = deque()
        self.patient = deque(_Chunk(load.chunk_items, 0.0, False) for _ in range(load.bulk_chunks))
        self.record = simpy.Resource(self.environment, site.transactions)
        self.hosts = [simpy.Resource(self.environment, site.cores) for _ in range(site.hosts)]
        self.idle: deque[simpy.Event] = deque()
        self.left = load.bulk_chunks
        self.coming = load.interactive_per_s > 0
        self.done = self.environment.event()
        if self.coming:
            self.environment.process(self._callers())
        for number in range(site.workers):
            self.environment.process(self._worker(self.hosts[number % site.hosts]))

    def _callers(self) -> Steps:
        while True:
            yield self.environment.timeout(self.random.exponential(1 / self.load.interactive_per_s))
            if self.environment.now >= self.load.for_s:
                self.coming = False
                return self._end_if_done()
            self.left += 1
            self.urgent.append(_Chunk(1, self.environment.now, True))
            if self.idle:  # a hint is taken by one
                self.idle.popleft().succeed()

    def _wait_for_work(self) -> simpy.Event:
        woken = self.environment.event()
        if self.urgent or self.patient:
            woken.succeed()
        else:
            self.idle.append(woken)
        return woken

    def _worker(self, host: simpy.Resource) -> Steps:
        settling: simpy.Event | None = None
        ahead = yield from self._next(host)
        while True:
            if not ahead:
                yield self._wait_for_work()
                yield self.environment.timeout(self.random.uniform(0, self.times.idle_s))
                ahead = yield from self._next(host)
                continue
            chunks, following = ahead, self.environment.process(self._next(host))
            items = sum(chunk.items for chunk in chunks)
            if self.times.embeds_on_core:
                yield from self._compute(host, items * self.times.embed_s)
            else:
                yield self.environment.timeout(items * self.times.embed_s)
            if settling is not None:
                yield settling
            settling = self.environment.process(self._settle(host, chunks, items))
            ahead = yield following

    def _next(self, host: simpy.Resource) -> Iterator[simpy.Event]:
        """Claim what fills a batch and load it."""
        if not self.urgent and not self.patient:
            return []
        yield from self._transact(self.times.claim_s)
        chunks: list[_Chunk] = []
        for queue in (self.urgent, self.patient):
            while queue and sum(chunk.items for chunk in chunks) < self.site.batch:
                chunks.append(queue.popleft())
        yield from self._compute(host, sum(chunk.items for chunk in chunks) * self.times.load_s)
        return chunks

    def _settle(self, host: simpy.Resource, chunks: Sequence[_Chunk], items: int) -> Steps:
        yield from self._compute(host, items * self.times.decide_s)
        yield from self._transact(self.times.settle_s)
        now = self.environment.now
        self.seen.ended_s, self.seen.items, self.seen.batches = (
            now,
            self.seen.items + items,
            self.seen.batches + 1,
        )
        self.seen.waits_s += [now - chunk.came_s for chunk in chunks if chunk.interactive]
        self.left -= len(chunks)
        self._end_if_done()

    def _end_if_done(self) -> None:
        if not self.left and not self.coming and not self.done.triggered:
            self.done.succeed()

    def _compute(self, host: simpy.Resource, seconds: float) -> Steps:
        """Hold a core, in slices as an operating system gives them out."""
        slice_s = max(0.01, seconds / 10)  # many short ones would only take the simulation longer
        while seconds > 1e-9:
            slice_s = min(seconds, slice_s)
            with host.request() as core:
                yield core
                yield self.environment.timeout(slice_s)
            seconds -= slice_s

    def _transact(self, seconds: float) -> Steps:
        with self.record.request() as turn:
            yield turn
            yield self.environment.timeout(seconds)
            self.seen.record_busy_s += seconds
