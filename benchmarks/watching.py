"""What watching costs, in processor time: python -m benchmarks.watching."""

from __future__ import annotations

import time
from collections.abc import Callable

from api.metrics import merged
from worker.metrics import Metrics
from worker.watch import Watch

WORKERS = 16
STAGES = ("fetch", "decode", "prepare", "load", "embed", "search", "settle")


def cost_us(what: Callable[[], object], times: int) -> float:
    """Return the processor time of one call in microseconds."""
    what()
    start = time.process_time()
    for _ in range(times):
        what()
    return (time.process_time() - start) / times * 1e6


def main() -> None:
    watch = Watch()

    def stage() -> None:
        with watch.stage("fetch"):
            pass

    metrics = Metrics()
    for name in STAGES:
        metrics.stage.labels(name).observe(1.0)
    texts = {f"worker-{number}": metrics.text() for number in range(WORKERS)}
    merge_us = cost_us(lambda: merged(texts), 20)
    size = len(texts["worker-0"])
    print(f"{cost_us(stage, 50_000):8.1f} us  a stage that is timed, 3 a picture")
    print(f"{cost_us(metrics.text, 200):8.0f} us  a worker's exposition of {size} bytes, every 10 s")
    print(f"{merge_us:8.0f} us  merging {WORKERS} of them in the API, at most every 5 s")


if __name__ == "__main__":
    main()
