"""Bulk classify: pictures a second against the naive way and the encoder alone, where the time goes, and what
it takes of memory.

python -m benchmarks.bulk [--part throughput ...] [--encoder efficientnet_lite2 ...] [--items N] [--rounds N]

Run it on a machine with nothing else to do: each line carries the load it was measured under.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

import httpx
import torch

from benchmarks import bulk_inputs as inputs
from benchmarks import bulk_service as services
from benchmarks.bulk_naive import naive_per_s
from benchmarks.bulk_scaling import PICTURE_S, scaling
from benchmarks.bulk_stages import stages
from benchmarks.common import DEFAULT, LITE0, emit
from benchmarks.faults.postgres import Postgres
from core.pictures import decode_picture
from encoders import Encoder, open_encoder

MAX_PIXELS = 50_000_000
CORES = os.cpu_count() or 1
ENCODERS = (DEFAULT, LITE0, "deit", "vitb32")
ITEMS = {DEFAULT: 8_000, LITE0: 12_000, "deit": 4_000, "vitb32": 2_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--part", action="append", choices=PARTS, help="everything by default")
    parser.add_argument("--encoder", action="append", choices=ENCODERS)
    parser.add_argument("--pictures", default="sports", choices=("sports", "large", "photographs", "tiny"))
    parser.add_argument("--source", default="upload", choices=inputs.SOURCES, help="of the throughput")
    parser.add_argument("--items", type=int, help="fewer for slow encoders, where not given")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=CORES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="exemplar-bulk-") as folder:
        if not inputs.QUERIES.exists():
            emit("bulk", note="no ../shared/data: digits stand in for pictures of sports")
        for part in asked.part or PARTS:
            PARTS[part](asked, Path(folder))


def report(part: str, **figures: object) -> None:
    emit(f"bulk_{part}", **figures, load=[round(load, 1) for load in os.getloadavg()])


def specs(asked: argparse.Namespace, folder: Path) -> dict[str, str]:
    """Return the specs of the encoders asked for by name; those that are not here are named and left out."""
    found = {name: inputs.spec_of(name, folder) for name in asked.encoder or ENCODERS}
    for name in [name for name, spec in found.items() if spec is None]:
        emit("bulk", skipped=name, reason="its weights are not under ../shared/weights")
    return {name: spec for name, spec in found.items() if spec is not None}


def throughput(asked: argparse.Namespace, folder: Path) -> None:
    """Pictures a second of the whole service, the naive way, and decode and encoder alone, in turns."""
    what, contents = inputs.pictures(asked.pictures)
    for name, spec in specs(asked, folder).items():
        torch.set_num_threads(1)
        encoders = [open_encoder(spec, device="cpu") for _ in range(CORES)]
        encoder = encoders[0]
        items = asked.items or ITEMS[name]
        found: dict[str, list[float]] = {}
        source_of = inputs.SOURCES[asked.source]
        limits = {"max_queued_items": "1000000", "roots": str(folder)}
        with services.bench(spec, workers=asked.workers, **limits) as (_, http):
            _bulk_per_s(http, source_of(contents, 128, folder), 128)  # warms up
            source = source_of(contents, items, folder)
            few = max(64, items // 20)
            measures: dict[str, Callable[[], float]] = {
                "service": partial(_bulk_per_s, http, source, items),
                "decode": partial(_decode_per_s, encoder, contents),
                "encoder": partial(_encoder_per_s, encoders, contents),
                "both": partial(_both_per_s, encoders, contents),
                "naive": partial(naive_per_s, spec, contents, few, CORES),
            }
            for _ in range(asked.rounds):
                for measure, run in measures.items():
                    found.setdefault(measure, []).append(run())
        rates = {measure: round(median(values), 1) for measure, values in found.items()}
        report(
            "throughput",
            encoder=name,
            precision=encoder.precision,
            runtime=encoder.runtime,
            pictures=what,
            source=asked.source,
            items=items,
            workers=asked.workers,
            per_s=rates,
            rounds={measure: [round(value, 1) for value in values] for measure, values in found.items()},
            share_of_slower=round(rates["service"] / min(rates["decode"], rates["encoder"]), 3),
            share_of_both=round(rates["service"] / rates["both"], 3),
            times_naive=round(rates["service"] / rates["naive"], 2),
        )


def _bulk_per_s(http: httpx.Client, source: Path, items: int) -> float:
    """From the first byte sent to the last result read."""
    begun = time.perf_counter()
    job, _ = services.submit(http, source)
    found = services.wait(http, job)
    assert found["progress"]["done"] == items, found
    assert services.read_results(http, job) == items
    return items / (time.perf_counter() - begun)


def _decode_per_s(encoder: Encoder, contents: Sequence[bytes]) -> float:
    """Decoding and resizing alone, a thread a core."""
    with ThreadPoolExecutor(CORES) as pool:
        return _rate(lambda: len(list(pool.map(lambda content: _prepare(encoder, content), contents))))


def _encoder_per_s(encoders: Sequence[Encoder], contents: Sequence[bytes]) -> float:
    """The encoder alone on prepared tensors, one and a batch for each core at the same time."""
    first = encoders[0]
    batch = [_prepare(first, content) for content in contents[: first.batch_size]]
    with ThreadPoolExecutor(CORES, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return _rate(lambda: sum(pool.map(lambda encoder: len(encoder.embed(batch)), encoders)))


def _both_per_s(encoders: Sequence[Encoder], contents: Sequence[bytes]) -> float:
    """Decoding and encoding in turns, a thread a core at the same time: what they allow together."""
    some = contents[: encoders[0].batch_size]

    def both(encoder: Encoder) -> int:
        return len(encoder.embed([_prepare(encoder, content) for content in some]))

    with ThreadPoolExecutor(CORES, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return _rate(lambda: sum(pool.map(both, encoders)))


def _prepare(encoder: Encoder, content: bytes):
    picture = decode_picture(content, max_pixels=MAX_PIXELS, draft_side=encoder.draft_side)
    return encoder.prepare(picture)


def _rate(some: Callable[[], int], longest_s: float = 2.0) -> float:
    some()
    begun = time.perf_counter()
    done = 0
    while time.perf_counter() < begun + longest_s:
        done += some()
    return done / (time.perf_counter() - begun)


def cpu(asked: argparse.Namespace, folder: Path) -> None:
    """CPU milliseconds a picture of each process, and of each stage; the sums should agree."""
    what, contents = inputs.pictures(asked.pictures)
    for name, spec in specs(asked, folder).items():
        items = asked.items or ITEMS[name] // 4
        archive = inputs.archive_of(contents, items, folder)
        with services.bench(spec, workers=1) as (stack, http):
            _bulk_per_s(http, archive, items)  # warms up
            before = services.cpu_s(stack)
            _bulk_per_s(http, archive, items)
            used = {key: value - before[key] for key, value in services.cpu_s(stack).items() if key in before}
        by_stage = stages(spec, archive, folder)
        worker_ms = sum(value for key, value in used.items() if key.startswith("worker")) / items * 1000
        report(
            "cpu",
            encoder=name,
            pictures=what,
            items=items,
            ms_by_process={key: round(value / items * 1000, 3) for key, value in used.items()},
            ms_by_stage={key: round(value, 3) for key, value in by_stage.items()},
            stages_explain=round(sum(by_stage.values()) / worker_ms, 3),
        )


def memory(asked: argparse.Namespace, folder: Path) -> None:
    """Peak memory of each process for jobs of 1,000, 20,000 and 100,000 tiny pictures."""
    _, contents = inputs.pictures("tiny")
    sizes = [size for size in (1_000, 20_000, 100_000) if size <= (asked.items or 100_000)]
    with services.bench(DEFAULT, workers=asked.workers, max_queued_items="1000000") as (stack, http):
        _bulk_per_s(http, inputs.archive_of(contents, 1_000, folder), 1_000)  # warms up
        for size in sizes:
            services.reset_peaks(stack)
            rate = _bulk_per_s(http, inputs.archive_of(contents, size, folder), size)
            report("memory", items=size, per_s=round(rate, 1), peak_mib=services.peaks_mib(stack))


def workers(asked: argparse.Namespace, folder: Path) -> None:
    """Pictures a second of 1, 2 and 4 workers with the default, and to 8 with a simulated slow encoder."""
    what, contents = inputs.pictures(asked.pictures)
    items = asked.items or 4_000
    archive = inputs.archive_of(contents, items, folder)
    encoder = f"simulated, {PICTURE_S * 1000:g} ms a picture"
    for count in (1, 2, 4, 8):
        some = min(items, 500 * count)
        report("workers", encoder=encoder, database="sqlite", workers=count, **scaling(count, items=some))
        with closing(Postgres()) as server, server.database() as url:
            found = scaling(count, items=some, database_url=url)
        report("workers", encoder=encoder, database="postgres", workers=count, **found)
    for count in (1, 2, 4):
        with services.bench(DEFAULT, workers=count) as (_, http):
            _bulk_per_s(http, inputs.archive_of(contents, 256, folder), 256)
            rates = [_bulk_per_s(http, archive, items) for _ in range(asked.rounds)]
        report("workers", encoder=DEFAULT, pictures=what, workers=count, per_s=round(median(rates), 1))


PARTS = {
    "throughput": throughput,
    "cpu": cpu,
    "memory": memory,
    "workers": workers,
}

if __name__ == "__main__":
    main()
