"""Helpers of the worker's tests: a toy encoder, and the tools of a worker in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from PIL import Image
from tiny import DEFAULT

from core.collections import Prompts, Views
from core.errors import ExemplarError
from core.jobs import Item, JobKind, JobRequest, Lane
from core.settings import Settings
from encoders import Encoder
from index.filtered import FilteredReplicas
from index.replicas import Replicas
from store.blobs import PICTURES, uploads_of
from store.store import Store
from store.work.jobs import new_job_id
from worker.activity import Activity, new_owner
from worker.tools import Tools

GREYS = {"black": 0.0, "grey": 0.5, "white": 1.0, **{f"{n} %": n / 100 for n in range(101)}}


class ToyEncoder:
    """Embeds the mean grey of a picture and the names of greys; a red picture has no vector.

    `fails` makes every picture fail, and an encoder made with `reads=False` has no text side.
    """

    spec = DEFAULT
    device = "cpu"
    identity = "toy fp32"
    batch_size = 16
    dim = 2
    draft_side = 64

    def __init__(self, *, reads: bool = False) -> None:
        self.fails = False
        self.has_text = reads
        self.batches: list[int] = []
        self.views: list[Views] = []
        self.read: list[list[str]] = []

    @property
    def text_scale(self) -> float:
        if not self.has_text:
            raise ExemplarError("text_side_missing", "this encoder cannot read")
        return 20.0

    def prepare(self, picture: Image.Image, views: Views = Views.ONE) -> np.ndarray:
        self.views.append(views)
        return np.asarray(picture.resize((2, 2)))

    def embed(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        if self.fails:
            raise RuntimeError("the device is on fire")
        self.batches.append(len(prepared))
        vectors = _at([pixels.mean() / 255 for pixels in prepared])
        vectors[[int(pixels[0, 0, 0]) > int(pixels[0, 0, 1]) + 50 for pixels in prepared]] = np.nan
        return vectors

    def embed_labels(self, labels: Sequence[str], prompts: Prompts) -> np.ndarray:
        """Names other than greys have no vector."""
        assert self.text_scale
        self.read.append(list(labels))
        return _at([GREYS.get(label, float("nan")) for label in labels])


def _at(greys: Sequence[float]) -> np.ndarray:
    angles = np.array(greys)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@contextmanager
def tools_with(settings: Settings, store: Store, encoder: Encoder | ToyEncoder) -> Iterator[Tools]:
    """The tools of a worker in this process, with an encoder; a run ends only when nothing waits."""
    with ThreadPoolExecutor(2) as decoders, ThreadPoolExecutor(1) as loader, ThreadPoolExecutor(1) as settler:
        yield Tools(
            settings=settings.model_copy(update={"claim_s": 3600.0}),
            name="w",
            owner=new_owner("w"),
            lanes=tuple(Lane),
            store=store,
            encoders={encoder.spec: encoder},
            replicas=Replicas(
                store.supports.changes_since,
                settings.snapshot_folder,
                new_mark=store.snapshot_marks.create,
                knows=store.snapshot_marks.has,
            ),
            filtered=FilteredReplicas(store.supports.changes_since),
            decoders=decoders,
            loader=loader,
            settler=settler,
            activity=Activity(),
        )


def submit(
    store: Store,
    kind: JobKind,
    *pictures: bytes,
    label: str = "cat",
    collection: str = "things",
    lane: Lane = Lane.INTERACTIVE,
) -> str:
    """Submit a job of pictures and return its id; in the bulk lane they share chunks."""
    job = new_job_id()
    folder = PICTURES if kind is JobKind.ENROLL else uploads_of(job)
    items = [Item(n, store.blobs.put(folder, picture), label) for n, picture in enumerate(pictures)]
    return store.jobs.submit(job, JobRequest(collection, kind, lane, items)).job.id
