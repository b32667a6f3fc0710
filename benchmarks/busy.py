"""What a person who waits notices of a bulk job, and the job of that person.

python -m benchmarks.busy [--workers 1,2,4] [--databases sqlite,postgres] [--rounds 3]

For each database and number of workers: milliseconds of one picture on an idle service, the same during a
bulk job with one picture asked every `--every` seconds, the job's pictures a second with and without that, in
turns, and how soon a cancelled job leaves the cores. Asking takes the encoder's time too, which the job then
lacks: the share that is left is shown beside the one that asking alone would leave.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import httpx

from benchmarks import bulk_inputs as inputs
from benchmarks import bulk_service as services
from benchmarks.common import emit, percentiles
from benchmarks.faults.postgres import Postgres
from core.specs import PACKAGED

WARM_S = 3.0  # of a bulk job, until its pace is steady


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=_numbers, default=[1, 2, 4])
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--encoder", default=PACKAGED[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two pictures")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each half of a round")
    asked = parser.parse_args()
    what, contents = inputs.pictures("sports")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = int((2 * asked.rounds * asked.seconds + 20) * 200)
        archive = inputs.archive_of(contents, items, folder)
        for database in asked.databases.split(","):
            for workers in asked.workers:
                with (
                    _url(database) as more,
                    services.bench(asked.encoder, workers=workers, max_queued_items="1000000", **more) as one,
                ):
                    found = _round(*one, contents, archive, asked)
                emit(
                    "busy", encoder=asked.encoder, pictures=what, database=database, workers=workers, **found
                )


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


@contextmanager
def _url(database: str) -> Iterator[dict[str, str]]:
    if database == "sqlite":
        yield {}
        return
    with closing(Postgres()) as server, server.database() as url:
        yield {"database_url": url}


def _round(
    stack: object, http: httpx.Client, contents: Sequence[bytes], archive: Path, asked: argparse.Namespace
) -> dict[str, object]:
    _ask_for(http, contents, 2.0, 0.05)  # warms up
    idle = _ask_for(http, contents, asked.seconds, 0.1)
    job, submit_s = services.submit(http, archive)
    while _done(http, job) == 0:
        time.sleep(0.1)
    time.sleep(WARM_S)
    during: list[float] = []
    alone_per_s, asked_per_s = [], []
    for _ in range(asked.rounds):
        before = _done(http, job)
        time.sleep(asked.seconds)
        between = _done(http, job)
        during += _ask_for(http, contents, asked.seconds, asked.every)
        alone_per_s.append((between - before) / asked.seconds)
        asked_per_s.append((_done(http, job) - between) / asked.seconds)
    assert http.get(f"/v1/jobs/{job}").json()["finished_at"] is None, "the job ended: take more pictures"
    cancelled = time.perf_counter()
    http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
    idle_s = _idle_since(stack, cancelled)
    alone, beside = median(alone_per_s), median(asked_per_s)
    return {
        "idle_ms": percentiles(idle),
        "during_bulk_ms": percentiles(during),
        "p95_times_idle": round(percentiles(during)["p95"] / percentiles(idle)["p95"], 2),
        "bulk_per_s": {"alone": round(alone, 1), "while_asked": round(beside, 1)},
        "bulk_share": round(beside / alone, 3),
        "share_if_only_asking_cost": round(1 - 1 / asked.every / alone, 3),
        "submit_to_202_s": round(submit_s, 2),
        "cancel_to_idle_s": round(idle_s, 2),
    }


def _done(http: httpx.Client, job: str) -> int:
    return int(http.get(f"/v1/jobs/{job}").raise_for_status().json()["progress"]["done"])


def _ask_for(http: httpx.Client, contents: Sequence[bytes], seconds: float, every_s: float) -> list[float]:
    """Ask at a steady pace, as far as the answers allow; return milliseconds."""
    begun = time.perf_counter()
    taken: list[float] = []
    while (now := time.perf_counter() - begun) < seconds:
        time.sleep(max(len(taken) * every_s - now, 0.0))
        taken.append(services.ask(http, contents[7 * len(taken) % len(contents)]))
    return taken


def _idle_since(stack: object, begun: float) -> float:
    """Return seconds until the workers' children began to use less than a twentieth of a core for 0.3 s."""
    quiet_s, pause_s = 0.3, 0.05
    quiet_from = time.perf_counter()
    children = {key: one for key, one in services.processes(stack).items() if key.endswith("child")}
    used = sum(sum(one.cpu_times()[:2]) for one in children.values())
    while time.perf_counter() < begun + 60:
        time.sleep(pause_s)
        now = sum(sum(one.cpu_times()[:2]) for one in children.values())
        if now - used > quiet_s / 20:
            used, quiet_from = now, time.perf_counter()
        elif time.perf_counter() - quiet_from >= quiet_s:
            break
    return quiet_from - begun


if __name__ == "__main__":
    main()
