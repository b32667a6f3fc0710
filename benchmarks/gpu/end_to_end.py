"""Pictures a second of a bulk job of the whole service on the device, and what it takes of its memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from benchmarks import bulk_inputs, bulk_service
from benchmarks.gpu import cuda
from benchmarks.gpu.plan import Plan

MOST_ITEMS = 20_000


def measured(
    spec: str, contents: Sequence[bytes], folder: Path, *, workers: int, plan: Plan, model_per_s: float
) -> dict[str, object]:
    """Run a service with so many workers, and one job that takes the model alone some seconds."""
    device = plan.device
    items = min(MOST_ITEMS, max(32, int(model_per_s * plan.job_s)))
    archives = [bulk_inputs.archive_of(contents, count, folder) for count in (min(256, items), items)]
    before = cuda.used_mib(device)
    options = {"device": device, "runtime": "torch", "max_queued_items": "1000000"}  # a GPU has no other
    try:
        with bulk_service.bench(spec, workers=workers, **options) as (_, http):
            _per_s(http, archives[0])  # warms up
            per_s = _per_s(http, archives[1])
            used = cuda.used_mib(device) - before
    finally:
        for archive in archives:
            archive.unlink()
    share = round(per_s / model_per_s, 3)
    return {"items": items, "per_s": round(per_s, 1), "share_of_model": share, "memory_mib": used}


def _per_s(http: httpx.Client, archive: Path) -> float:
    """From the first byte sent to the last result read."""
    begun = time.perf_counter()
    job, _ = bulk_service.submit(http, archive)
    bulk_service.wait(http, job)
    count = bulk_service.read_results(http, job)
    return count / (time.perf_counter() - begun)
