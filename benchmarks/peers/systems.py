"""The systems that are measured, and how, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.peers import others, ours
from benchmarks.peers.measuring import Bench, Figures

ITSELF = ("torch", "openvino", "celery", "flask", "faiss-gpu", "numpy", "pillow")
CLIENT = "the same calls"


@dataclass(frozen=True, slots=True)
class System:
    """A system: what it is called, how it is run and asked, and in which environment (none: this one)."""

    name: str
    title: str
    how: str
    measure: Callable[[Bench, Path], Figures]
    packages: tuple[str, ...]
    environment: str | None = None
    prepare: Callable[[Bench, Path], object] = lambda bench, python: None
    """What is done once, before anything is measured."""


SYSTEMS = (
    System(
        "clip-retrieval",
        "clip-retrieval `inference`",
        "fp32, batch 32, 2 loader processes; files in, vectors out",
        others.clip_retrieval,
        ("clip-retrieval", "open-clip-torch", "torch", "numpy", "pillow"),
        "clip-retrieval",
    ),
    System(
        "infinity",
        "infinity `/embeddings`",
        "torch fp32, batch 16, compiled; 4 callers, 16 data URIs a call",
        others.infinity,
        ("infinity-emb", "transformers", "torch", "numpy", "pillow"),
        "infinity",
        lambda bench, python: bench.weights.hugging_face(python),
    ),
    System(
        "bentoml",
        "BentoML, adaptive batching",
        "open_clip fp32, batches to 32; 32 callers, 1 picture a call",
        others.bento_ml,
        ("bentoml", "open-clip-torch", "torch", "pillow"),
        "bentoml",
    ),
    System(
        "litserve",
        "LitServe, batching",
        "open_clip fp32, batches to 32; 32 callers, 1 picture a call",
        others.lit_serve,
        ("litserve", "open-clip-torch", "torch", "pillow"),
        "litserve",
    ),
    System(
        "celery",
        "Celery, a task a picture",
        "torch fp32, a process a core; files in, vectors out",
        others.naive_celery,
        ("celery", "redis", "torch", "pillow"),
    ),
    System(
        "exemplar-1",
        "Exemplar `/v1/embeddings`, 1 worker",
        "4 callers, 16 data URIs a call",
        partial(ours.embeddings, workers=1),
        ITSELF,
    ),
    System(
        "exemplar-2",
        "Exemplar `/v1/embeddings`, 2 workers",
        CLIENT,
        partial(ours.embeddings, workers=2),
        ITSELF,
    ),
    System(
        "exemplar-fp32",
        "Exemplar, 2 workers, in fp32 by torch",
        CLIENT,
        partial(ours.embeddings, workers=2, runtime="torch", precision="fp32"),
        ITSELF,
    ),
    System(
        "exemplar-tag",
        "`exemplar tag`, 2 workers",
        "files in; decided, recorded, CSV out; one alone is `classify`",
        partial(ours.tag, workers=2),
        ITSELF,
    ),
)
BY_NAME = {system.name: system for system in SYSTEMS}
