"""Enrolled by one worker, seen by the next search of another: rounds and misses.

python -m benchmarks.visibility

One worker serves only the bulk lane and one only the interactive lane; a job of two pictures is bulk here
and a job of one is interactive. So every enrolment is done by one process and every search by the other.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from benchmarks.common import emit, percentiles, picture, service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    rounds = parser.parse_args().rounds
    with service(workers=1, interactive_items="1") as stack:
        workers = [_worker(stack.environment, lane) for lane in ("bulk", "interactive")]
        try:
            _await_workers(stack.url, 3)
            stack.stop_child("worker-1")
            _rounds(stack.url, rounds)
        finally:
            for process in workers:
                process.terminate()
                process.wait()


def _rounds(url: str, rounds: int) -> None:
    misses = 0
    visible_ms: list[float] = []
    prefer = {"Prefer": "wait=30"}
    with httpx.Client(base_url=url, timeout=60, headers=prefer) as http:
        http.post("/v1/collections", json={"name": "bench"}).raise_for_status()
        for n in range(rounds):
            pair = [("image", ("a.png", picture(2 * n))), ("image", ("b.png", picture(2 * n + 1)))]
            enrolled = http.post("/v1/collections/bench/enroll", data={"label": f"label {n}"}, files=pair)
            job = enrolled.json()
            acknowledged = time.perf_counter()
            assert (job["state"], job["lane"]) == ("succeeded", "bulk"), job
            answer = http.post(
                "/v1/collections/bench/search?top=1",
                content=picture(2 * n),
                headers={"Content-Type": "image/png"},
            ).json()
            visible_ms.append((time.perf_counter() - acknowledged) * 1000)
            assert answer["lane"] == "interactive", answer
            result = answer["results"][0]
            wanted = job["results"][0]
            seen = (
                result["index_version"] >= wanted["index_version"]
                and result["neighbours"][0]["similarity"] > 0.9999
            )
            misses += not seen
    emit(
        "enrol_then_search_elsewhere",
        rounds=rounds,
        misses=misses,
        acknowledged_to_search_answered_ms=percentiles(visible_ms),
    )


def _worker(environment: dict[str, str], lane: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "exemplar_service", "worker", "--name", f"only-{lane}", "--lane", lane]
    log = Path(environment["EXEMPLAR_DATA"]) / "logs" / f"{lane}.log"
    with open(log, "wb") as out:
        return subprocess.Popen(command, env={**os.environ, **environment}, stdout=out, stderr=out)


def _await_workers(url: str, number: int) -> None:
    until = time.monotonic() + 60
    while f"exemplar_workers_alive {number}.0" not in httpx.get(f"{url}/metrics").text:
        assert time.monotonic() < until, "the workers did not start"
        time.sleep(0.2)


if __name__ == "__main__":
    main()
