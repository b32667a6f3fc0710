"""Workers with a slow encoder, one that sleeps: how all else scales where cores are not the limit."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.common import DEFAULT, picture
from core.collections import Rule, Views
from core.jobs import Item, JobKind, JobRequest, Lane
from core.settings import Settings
from index.filtered import FilteredReplicas
from index.replicas import Replicas
from store.blobs import uploads_of
from store.migrate import ensure_schema
from store.store import open_store
from store.work.jobs import new_job_id
from worker.activity import Activity, new_owner
from worker.pipeline import run_pipeline
from worker.tools import Tools

PICTURE_S = 0.025


class SlowEncoder:
    """Takes 25 ms a picture and no core."""

    spec, device, identity = DEFAULT, "cpu", "slow fp32"
    batch_size, dim, draft_side, has_text = 16, 2, 64, False

    def prepare(self, picture: Image.Image, views: Views = Views.ONE) -> np.ndarray:
        return np.asarray(picture.resize((32, 32)))

    def embed(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        time.sleep(PICTURE_S * len(prepared))
        return np.tile(np.array([1, 0], np.float32), (len(prepared), 1))


def scaling(workers: int, *, items: int, database_url: str = "") -> dict[str, float]:
    """Return pictures a second of so many processes, and the share of what the encoders allow.

    The record is SQLite where no other is named.
    """
    with TemporaryDirectory(prefix="exemplar-scaling-") as folder:
        settings = _settings(folder, database_url)
        store = open_store(settings)
        ensure_schema(store.database)
        store.collections.create("bench", DEFAULT, Rule())
        command = [sys.executable, "-m", "benchmarks.bulk_scaling", folder, database_url]
        started = [subprocess.Popen([*command, f"w{n}"], stdout=subprocess.PIPE) for n in range(workers)]
        for process in started:
            process.stdout.readline()  # it is ready
        job = new_job_id()
        chunked = [Item(n, store.blobs.put(uploads_of(job), picture(n % 512))) for n in range(items)]
        begun = time.perf_counter()
        store.jobs.submit(job, JobRequest("bench", JobKind.CLASSIFY, Lane.BULK, chunked))
        while store.jobs.get(job).finished_at is None:
            time.sleep(0.02)
        rate = items / (time.perf_counter() - begun)
        for process in started:
            process.terminate()
            process.wait()
        store.database.close()
        return {"items": items, "per_s": round(rate, 1), "share": round(rate * PICTURE_S / workers, 3)}


def _settings(folder: str, database_url: str) -> Settings:
    settings = Settings(data=Path(folder), redis_url="unix:///nothing.sock")
    return settings.model_copy(update={"database_url": database_url}) if database_url else settings


def _serve(folder: str, database_url: str, name: str) -> None:
    settings = _settings(folder, database_url)
    store = open_store(settings)
    with (
        ThreadPoolExecutor(2) as decoders,
        ThreadPoolExecutor(1) as loader,
        ThreadPoolExecutor(1) as settler,
    ):
        tools = Tools(
            settings=settings,
            name=name,
            owner=new_owner(name),
            lanes=tuple(Lane),
            store=store,
            encoders={DEFAULT: SlowEncoder()},
            replicas=Replicas(store.supports.changes_since, settings.snapshot_folder),
            filtered=FilteredReplicas(store.supports.changes_since),
            decoders=decoders,
            loader=loader,
            settler=settler,
            activity=Activity(),
        )
        print("ready", flush=True)
        while True:
            if not run_pipeline(tools, DEFAULT):
                time.sleep(0.02)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
