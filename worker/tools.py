"""The long-lived objects of a worker process: store, encoders, replicas and threads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import structlog

from core.jobs import Lane
from core.settings import Settings
from encoders import Encoder, open_encoder
from encoders.threads import use_threads
from index.devices import use_search_threads
from index.filtered import FilteredReplicas
from index.milvus import Milvus
from index.replicas import Replicas
from runtime.open_tracing import open_tracing
from runtime.precedence import Holding, Precedence
from runtime.processes import compute_threads, yield_to_others
from store.migrate import ensure_schema
from store.store import Store, open_store
from worker.activity import Activity, Progress, new_owner
from worker.past import PastReplicas
from worker.texts import TextCache
from worker.watch import Watch

log = structlog.get_logger("exemplar.worker")

READERS = 16  # pictures of object storage that are read at a time: each takes a round trip
SWITCH_S = 0.0005  # a thread somebody waits for gets Python's lock ten times sooner than by default


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one worker process for a lane; `owner` holds leases and differs in each run."""

    settings: Settings
    name: str
    owner: str
    lanes: tuple[Lane, ...]
    store: Store
    encoders: Mapping[str, Encoder]
    replicas: Replicas
    filtered: FilteredReplicas
    decoders: ThreadPoolExecutor
    loader: ThreadPoolExecutor
    settler: ThreadPoolExecutor
    activity: Activity
    """Of this lane."""
    hold: Callable[[], None] = _nothing
    """Called before each step of computing: bulk work holds still there while somebody waits."""
    texts: TextCache = field(default_factory=TextCache)
    past: PastReplicas = field(default_factory=PastReplicas)
    reading: Progress = field(default_factory=Progress)
    smoothing: Progress = field(default_factory=Progress)
    watch: Watch = field(default_factory=Watch)
    readers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(READERS, "read"))
    """Read pictures of object storage, ahead of the decoders; started by the first one."""

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
) -> list[Tools]:
    """Open everything, once for each lane; raises the errors of missing encoders or an unavailable record.

    The lanes work at the same time, bulk work at a lower priority and with pauses, so that it delays no
    answer that somebody waits for. They share the store and the replicas. `stopping` returns whether the
    process is stopping.
    """
    sys.setswitchinterval(SWITCH_S)
    threads = threads_of(settings)
    use_threads(threads)
    use_search_threads(threads)
    store = open_store(settings)
    ensure_schema(store.database)  # a worker may start before the first API
    milvus = Milvus(settings.milvus_url, settings.milvus_token.get_secret_value(), settings.milvus_folder)
    watch = Watch(open_tracing(settings, "exemplar-worker"))
    both = len(lanes) > 1
    decoders, loader, settler = _threads(settings, lanes[-1])
    hold = Holding(Precedence(settings.data)) if lanes[-1] is Lane.BULK else _nothing
    encoders = {spec: _open_encoder(spec, settings, for_two=both) for spec in specs}
    first = Tools(
        settings=settings,
        name=name,
        owner=new_owner(name),
        lanes=tuple(lanes[-1:]),
        store=store,
        encoders=encoders,
        replicas=Replicas(
            store.supports.changes_since,
            settings.snapshot_folder,
            new_mark=store.snapshot_marks.create,
            knows=store.snapshot_marks.has,
            milvus=milvus,
        ),
        filtered=FilteredReplicas(store.supports.changes_since),
        decoders=decoders,
        loader=loader,
        settler=settler,
        activity=Activity(stopping=stopping),
        watch=watch,
    )
    others = [_of_another_lane(first, lane, stopping) for lane in lanes[:-1]]
    held = {spec: encoder.with_call(hold) for spec, encoder in encoders.items()}
    return [*others, replace(first, encoders=held, hold=hold)]


def threads_of(settings: Settings) -> int:
    """Return the compute threads of a worker for bulk work."""
    return settings.threads or compute_threads()


def _of_another_lane(first: Tools, lane: Lane, stopping: Callable[[], bool]) -> Tools:
    threads = max(threads_of(first.settings), compute_threads())
    decoders, loader, settler = _threads(first.settings, lane)
    return replace(
        first,
        lanes=(lane,),
        encoders={spec: encoder.second(threads) for spec, encoder in first.encoders.items()},
        decoders=decoders,
        loader=loader,
        settler=settler,
        activity=Activity(stopping=stopping),
        watch=first.watch.of_another_lane(),
    )


def _threads(
    settings: Settings, lane: Lane
) -> tuple[ThreadPoolExecutor, ThreadPoolExecutor, ThreadPoolExecutor]:
    """Return those that decode, that load and that settle."""
    # what takes locks in the record keeps its priority: whoever waits for such a lock waits for its holder
    begin = yield_to_others if lane is Lane.BULK else None
    return (
        ThreadPoolExecutor(settings.decode_threads, f"decode-{lane.value}", begin),
        ThreadPoolExecutor(1, f"load-{lane.value}"),
        ThreadPoolExecutor(1, f"settle-{lane.value}"),
    )


def _open_encoder(spec: str, settings: Settings, *, for_two: bool) -> Encoder:
    encoder = open_encoder(
        spec, device=settings.device, precision=settings.precision, runtime=settings.runtime, for_two=for_two
    )
    log.info(
        "encoder_opened",
        encoder=spec,
        device=encoder.device,
        precision=encoder.precision,
        runtime=encoder.runtime,
    )
    return encoder
