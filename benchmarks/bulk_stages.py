"""CPU milliseconds a picture by stage: a worker's own functions, one after the other in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.bulk_inputs import SUPPORTS
from benchmarks.common import picture
from core.collections import Rule
from core.jobs import Item, JobKind, JobRequest, Lane, Source
from core.settings import Settings
from store.blobs import PICTURES, uploads_of
from store.work.jobs import new_job_id
from worker.embedding import embed
from worker.load import load
from worker.pipeline import run_pipeline
from worker.settling import settle
from worker.source_reader import SourceReader
from worker.tools import Tools, open_tools

T = TypeVar("T")


def stages(spec: str, archive: Path, folder: Path) -> dict[str, float]:
    """Feed, claim, load, embed, decide and settle an archive in this process; return CPU ms a picture."""
    with TemporaryDirectory(dir=folder) as data:
        settings = Settings(
            data=Path(data), encoders=(spec,), redis_url="unix:///nothing.sock", decode_threads=1
        )
        [tools] = open_tools(settings, "bench", [spec], [Lane.BULK])
        tools.store.collections.create("bench", spec, Rule())
        _enroll(tools, spec)
        return _stages(tools, spec, archive)


def _enroll(tools: Tools, spec: str) -> None:
    files = sorted(SUPPORTS.glob("*/*.jpg"))
    some = [(file.parent.name, file.read_bytes()) for file in files]
    some = some or [(f"digit {n % 10}", picture(n)) for n in range(50)]
    digests = [tools.store.blobs.put(PICTURES, content) for _, content in some]
    items = [Item(n, digest, label) for n, (digest, (label, _)) in enumerate(zip(digests, some, strict=True))]
    tools.store.jobs.submit(new_job_id(), JobRequest("bench", JobKind.ENROLL, Lane.BULK, items))
    while run_pipeline(tools, spec):
        pass


def _stages(tools: Tools, spec: str, archive: Path) -> dict[str, float]:
    encoder = tools.encoders[spec]
    store = tools.store
    job = new_job_id()
    with archive.open("rb") as body:
        name = store.blobs.put_stream(uploads_of(job), iter(lambda: body.read(1 << 20), b""))
    request = JobRequest("bench", JobKind.CLASSIFY, Lane.BULK, (), source=Source(archive=name))
    store.jobs.submit(job, request)
    feeder = SourceReader(store, tools.settings, tools.owner)
    used = dict.fromkeys(("feed", "claim", "read and decode", "prepare", "embed", "decide and settle"), 0.0)

    def timed(stage: str, step: Callable[[], T]) -> T:
        begun = time.process_time()
        result = step()
        used[stage] += time.process_time() - begun
        return result

    # `prepare` runs inside `load`, in a thread of its own, which is timed apart
    prepare = encoder.prepare

    def timed_prepare(*asked: object) -> object:
        begun = time.thread_time()
        result = prepare(*asked)  # type: ignore[arg-type]
        used["prepare"] += time.thread_time() - begun
        return result

    encoder.prepare = timed_prepare  # type: ignore[method-assign, assignment]
    items = 0
    while True:
        fed = timed("feed", feeder.round)
        claimed = timed(
            "claim", lambda: store.chunks.claim(tools.owner, spec, tools.lanes, encoder.batch_size)
        )
        if not claimed and not fed:
            break
        loaded = timed("read and decode", lambda claimed=claimed: load(tools, encoder, claimed))
        seen = timed("embed", lambda loaded=loaded: embed(tools, encoder, loaded))
        items += timed("decide and settle", lambda seen=seen: settle(tools, encoder, seen))
    feeder.stop()
    used["read and decode"] -= used["prepare"]
    assert items > 0
    return {stage: seconds / items * 1000 for stage, seconds in used.items()}
