"""The long-lived objects of a worker process: store, encoders, replicas and threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from core.settings import Settings
from core.types import Lane
from encoders import Encoder, open_encoder
from encoders.threads import use_threads
from index.devices import use_search_threads
from index.milvus import Milvus
from index.replicas import Replicas
from runtime.open_tracing import open_tracing
from store.migrate import ensure_schema
from store.store import Store, open_store
from worker.activity import Activity, Progress, new_owner
from worker.texts import TextCache
from worker.watch import Watch

log = structlog.get_logger("exemplar.worker")


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one worker process; `owner` holds leases and differs in each run."""

    settings: Settings
    name: str
    owner: str
    lanes: tuple[Lane, ...]
    store: Store
    encoders: Mapping[str, Encoder]
    replicas: Replicas
    decoders: ThreadPoolExecutor
    loader: ThreadPoolExecutor
    settler: ThreadPoolExecutor
    activity: Activity
    texts: TextCache = field(default_factory=TextCache)
    reading: Progress = field(default_factory=Progress)
    watch: Watch = field(default_factory=Watch)

    @property
    def device(self) -> str:
        """The device of the encoders."""
        return next(iter(self.encoders.values())).device


def open_tools(
    settings: Settings,
    name: str,
    specs: Sequence[str],
    lanes: Sequence[Lane],
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> Tools:
    """Open everything; raises the errors of missing encoders or an unavailable record.

    `stopping` returns whether the process is stopping.
    """
    use_threads(settings.threads)
    use_search_threads(settings.threads)
    store = open_store(settings)
    ensure_schema(store.database)  # a worker may start before the first API
    return Tools(
        settings=settings,
        name=name,
        owner=new_owner(name),
        lanes=tuple(lanes),
        store=store,
        encoders={spec: _open_encoder(spec, settings) for spec in specs},
        replicas=Replicas(
            store.supports.changes_since,
            settings.snapshot_folder,
            marks=store.snapshot_marks,
            milvus=Milvus(
                settings.milvus_url, settings.milvus_token.get_secret_value(), settings.milvus_folder
            ),
        ),
        decoders=ThreadPoolExecutor(settings.decode_threads, "decode"),
        loader=ThreadPoolExecutor(1, "load"),
        settler=ThreadPoolExecutor(1, "settle"),
        activity=Activity(stopping=stopping),
        watch=Watch(open_tracing(settings, "exemplar-worker")),
    )


def _open_encoder(spec: str, settings: Settings) -> Encoder:
    encoder = open_encoder(
        spec, device=settings.device, precision=settings.precision, runtime=settings.runtime
    )
    log.info(
        "encoder_opened",
        encoder=spec,
        device=encoder.device,
        precision=encoder.precision,
        runtime=encoder.runtime,
    )
    return encoder
