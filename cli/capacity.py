"""Estimate what a target load needs: cores, workers, memory, disk and commits, from measured times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

DAY_S = 86_400.0
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Speed:
    """The cost of one picture on one core with an encoder, and the length of its vectors.

    Batching speeds up only the encoder's share.
    """

    cpu_ms: float  # per bulk picture, all stages
    embed_ms: float  # of that, in the encoder
    alone_ms: float  # an interactive picture on an idle service, from submission to answer
    dim: int
    worker_bytes: float  # of one worker process with this encoder and no supports


SPEEDS: Mapping[str, Speed] = {
    # with OpenVINO in fp32, the core's time of a bulk picture and of its forward pass (docs/throughput.md)
    "efficientnet_lite2": Speed(cpu_ms=16.5, embed_ms=13.9, alone_ms=33, dim=1280, worker_bytes=1.6 * GIB),
    "efficientnet_lite0": Speed(cpu_ms=6.9, embed_ms=5.6, alone_ms=25, dim=1280, worker_bytes=1.4 * GIB),
    "deit-tiny": Speed(cpu_ms=13.0, embed_ms=11.5, alone_ms=40, dim=192, worker_bytes=1.1 * GIB),
    "vit-b-32": Speed(cpu_ms=53.0, embed_ms=51.0, alone_ms=80, dim=512, worker_bytes=1.8 * GIB),
}
"""Measured on two cores of an EPYC with bfloat16 (`benchmarks.bulk`, `.interactive`, `.encoder_paths`)."""

COMMITS_OF_REQUEST = 3  # submitted, claimed, settled
COMMITS_OF_BATCH = 2  # claimed, settled
RECORD_BYTES = 1_700  # of an interactive picture with its job, chunk and result; bulk results pack to less
VECTOR_BYTES = 2  # of a component, kept to decide again
SUPPORT_BYTES = 3  # copies of a vector: FAISS, the rule's own, what an update takes
THUMBNAIL_BYTES = 8_000
BATCH = 64
BUSY = 0.7  # of a core, on average over the busiest hour: beyond it waits grow without bound


@dataclass(frozen=True, slots=True)
class Target:
    """The load that a service has to handle; `peak` is the busiest hour divided by the mean of a day."""

    pictures_per_day: float
    peak: float = 4.0
    interactive_share: float = 1.0
    classes: int = 100
    supports: int = 1_000
    p95_ms: float = 500.0
    picture_bytes: float = 200_000.0
    keep_days: float = 7.0
    core_hour: float = 0.04  # price, in any currency


@dataclass(frozen=True, slots=True)
class Need:
    """The resources a target needs; rates are those of the busiest hour."""

    pictures_per_s: float
    workers: int
    cores: int
    worker_bytes: float
    p95_ms: float
    commits_per_s: float
    record_bytes: float
    blob_bytes: float
    cost_per_month: float
    warnings: tuple[str, ...]


def plan(target: Target, speed: Speed) -> Need:
    """Size a service of one-core workers such that the 95th percentile of latency is at most `p95_ms`."""
    rate = target.pictures_per_day / DAY_S * target.peak
    people = rate * target.interactive_share
    service_s = speed.cpu_ms / 1000
    workers = max(1, math.ceil(rate * service_s / BUSY))
    while wait_p95_s(people, service_s, workers) * 1000 + speed.alone_ms > target.p95_ms and workers < 10**6:
        if speed.alone_ms >= target.p95_ms:
            break  # more workers do not make a single picture faster
        workers += max(1, workers // 20)
    supports_bytes = target.supports * speed.dim * 4 * SUPPORT_BYTES
    commits = people * COMMITS_OF_REQUEST + (rate - people) / BATCH * COMMITS_OF_BATCH
    result_bytes = RECORD_BYTES + VECTOR_BYTES * speed.dim
    kept = target.pictures_per_day * target.keep_days
    return Need(
        pictures_per_s=rate,
        workers=workers,
        cores=workers + max(1, math.ceil(people / 400)),  # plus the API's
        worker_bytes=speed.worker_bytes + supports_bytes,
        p95_ms=wait_p95_s(people, service_s, workers) * 1000 + speed.alone_ms,
        commits_per_s=commits,
        record_bytes=kept * result_bytes + target.supports * speed.dim * 4,
        blob_bytes=kept * target.picture_bytes + target.supports * (target.picture_bytes + THUMBNAIL_BYTES),
        cost_per_month=(workers + 1) * target.core_hour * 24 * 30,
        warnings=tuple(_warnings(target, speed, commits)),
    )


def wait_p95_s(rate: float, service_s: float, workers: int) -> float:
    """Return the 95th percentile of the wait for a free worker, by Erlang's C formula (M/M/c).

    Erlang, "Solution of some problems in the theory of probabilities" (1917). Service times vary less than
    the formula assumes, so the result is slightly too high.
    """
    offered = rate * service_s
    if offered >= workers:
        return math.inf
    blocked = 1.0  # Erlang B, one more worker at a time
    for servers in range(1, workers + 1):
        blocked = offered * blocked / (servers + offered * blocked)
    waits = blocked / (1 - offered / workers * (1 - blocked))
    if waits <= 0.05:
        return 0.0
    return math.log(waits / 0.05) * service_s / (workers - offered)


def _warnings(target: Target, speed: Speed, commits: float) -> list[str]:
    found = []
    if speed.alone_ms >= target.p95_ms:
        found.append(
            f"one picture takes {speed.alone_ms:.0f} ms on an idle core: use a GPU or a smaller encoder"
        )
    if commits > 150:
        found.append("SQLite handles about 150 commits a second: use PostgreSQL")
    if commits > 3000:
        found.append("above a few thousand commits a second, split the callers over several services")
    if target.supports > 1_000_000:
        found.append("exact search handles about a million supports: use the index ivf, rabitq or milvus")
    return found
