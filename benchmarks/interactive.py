"""Latency of classifying one picture, with 1 and with 16 callers at once, and where the time goes.

python -m benchmarks.interactive
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import httpx

from benchmarks.common import emit, percentiles, picture, service
from core.jobs import JobKind

HEADERS = {"Prefer": "wait=30", "Content-Type": "image/png"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    with service(workers=arguments.workers) as stack, httpx.Client(base_url=stack.url, timeout=60) as http:
        http.post("/v1/collections", json={"name": "bench"}).raise_for_status()
        for n in range(50):
            path = f"/v1/collections/bench/enroll?label={n % 10}"
            http.post(path, content=picture(n), headers=HEADERS).raise_for_status()
        for callers in (1, 16):
            with httpx.Client(base_url=stack.url, timeout=60) as caller:
                _round(caller, callers, arguments.requests, arguments.workers)


def _round(caller: httpx.Client, callers: int, requests: int, workers: int) -> None:
    pictures = [picture(1000 + n) for n in range(requests)]
    for warm in pictures[:callers]:
        _ask(caller, warm)
    begun = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        answers = list(pool.map(lambda content: _ask(caller, content), pictures))
    took_s = time.perf_counter() - begun
    total = [ms for ms, _ in answers]
    stages: dict[str, list[float]] = {}
    for ms, job in answers:
        assert job["kind"] == JobKind.CLASSIFY and job["state"] == "succeeded", job
        timing = job["results"][0]["timing_ms"]
        for stage, value in timing.items():
            stages.setdefault(stage, []).append(value)
        times = [_seconds(job[name]) for name in ("created_at", "started_at", "finished_at")]
        stages.setdefault("queued_until_claimed", []).append((times[1] - times[0]) * 1000)
        worked = (times[2] - times[1]) * 1000
        stages.setdefault("claimed_until_settled", []).append(worked)
        stages.setdefault("http_in_and_out", []).append(ms - (times[2] - times[0]) * 1000)
    emit(
        "interactive_classify",
        callers=callers,
        workers=workers,
        requests=requests,
        per_s=round(requests / took_s, 1),
        ms=percentiles(total),
        stages_ms={stage: percentiles(values) for stage, values in stages.items()},
    )


def _ask(caller: httpx.Client, content: bytes) -> tuple[float, dict]:
    begun = time.perf_counter()
    response = caller.post("/v1/collections/bench/classify", content=content, headers=HEADERS)
    ms = (time.perf_counter() - begun) * 1000
    assert response.status_code == 200, response.text
    return ms, response.json()


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


if __name__ == "__main__":
    main()
