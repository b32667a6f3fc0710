"""The nouns of the service as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MAX_CHUNK_ITEMS = 256


class Lane(StrEnum):
    """Where work waits: a person waits for `interactive`, nobody for `bulk`."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class JobKind(StrEnum):
    """What a job asks for."""

    CLASSIFY = "classify"
    ENROLL = "enroll"
    SEARCH = "search"
    REPORT = "report"
    EMBED = "embed"
    REINDEX = "reindex"
    COMPARE = "compare"
    IMPORT = "import"


class JobState(StrEnum):
    """Where a job stands; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED})


class ChunkState(StrEnum):
    """Where a chunk stands; the last two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SETTLED = "settled"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    """Where a webhook delivery stands; the last two are final."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class ClassKind(StrEnum):
    """`negative` classes stand for things that must not be named."""

    NORMAL = "normal"
    NEGATIVE = "negative"


class RuleName(StrEnum):
    """How supports become a decision; `auto` is `kernel` while that answers fast enough, `ridge` beyond."""

    AUTO = "auto"
    KERNEL = "kernel"
    RIDGE = "ridge"
    PROTOTYPE = "prototype"
    NEIGHBOURS = "neighbours"
    NEAREST = "nearest"


class Metric(StrEnum):
    """How alike two vectors are: cosine similarity, or mean squared error (smaller is nearer)."""

    COSINE = "cosine"
    MSE = "mse"


class DecisionName(StrEnum):
    """What an answer says."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"


class Views(StrEnum):
    """How often a picture is looked at: once, with its mirror image, or those two whole and cropped."""

    ONE = "1"
    FLIP = "flip"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Rule:
    """The decision rule of a collection, and what it aims at."""

    name: RuleName = RuleName.AUTO
    metric: Metric = Metric.COSINE
    false_reject: float = 0.05
    """The share of pictures of known classes that may be called unknown; 0 calls nothing unknown."""
    certainty: float = 0.5
    """A best class less probable than this is `ambiguous`."""
    coverage: float = 0.9
    """How often the set of candidates is to hold the true class."""


class IndexName(StrEnum):
    """How supports are searched: all of them, by FAISS's shorter ways, or in Milvus."""

    FLAT = "flat"
    IVF = "ivf"
    RABITQ = "rabitq"
    MILVUS = "milvus"


@dataclass(frozen=True, slots=True)
class Index:
    """The index of a collection; what is None is chosen by the number of supports."""

    name: IndexName = IndexName.FLAT
    probes: int | None = None
    """Lists that a search looks into, of `ivf` and `rabitq`."""
    refine: int | None = None
    """Candidates compared exactly for each neighbour asked for, of `ivf` and `rabitq`."""


@dataclass(frozen=True, slots=True)
class IndexMeasure:
    """How many of the nearest ten an approximate index finds, asked for a collection's own supports."""

    name: IndexName
    recall_at_10: float
    asked: int
    supports: int
    version: int
    measured_at: float


Prompts = str | Sequence[str]
"""`best7`, `all80`, or templates with `{}` where the label goes."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A set of classes that share one encoder, one decision rule, and how pictures and labels are put to it.

    `views` and `prompts` stay as they were made, as the encoder does. Without prompts labels are mere names.
    """

    id: int
    name: str
    encoder: str
    rule: Rule
    version: int
    created_at: float
    views: Views = Views.ONE
    prompts: Prompts | None = None
    index: Index = Index()
    index_measured: IndexMeasure | None = None
    """What a worker measured last; None while every search compares with all supports."""
    classes: int = 0
    supports: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a job as it was accepted; `problem` is set where it was refused at the door.

    Its bytes are the blob `picture`, or lie in a `place`: `pack:DIGEST:OFFSET:SIZE` of the job's uploads,
    `file:PATH` of the server's folders, or a URL.
    """

    index: int
    picture: str | None = None
    label: str | None = None
    custom_id: str | None = None
    external_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    problem: Mapping[str, Any] | None = None
    place: str | None = None
    text: str | None = None
    """What is to be embedded instead of a picture."""
    support: int | None = None
    """The support that is to be embedded by another encoder."""

    @property
    def is_unfetched(self) -> bool:
        """Whether its picture has still to be fetched over the network."""
        return is_web_url(self.place) and self.problem is None


def is_web_url(place: str | None) -> bool:
    """Say whether a place is on the web, and not one that fsspec reads."""
    return place is not None and place.lower().startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class Source:
    """Where the items of a bulk job are: names of uploaded files, or a folder of the server's."""

    archive: str | None = None
    manifest: str | None = None
    manifest_is_csv: bool = False
    folder: str | None = None
    label: str | None = None
    """The label of pictures that have none of their own."""
    bundle: str | None = None
    """The name of an uploaded file of a collection."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that a job came of, so that the lines and spans of its work can be found by it."""

    request_id: str
    key: str
    """The id of the caller's key, or `local`."""
    traceparent: str | None = None
    """W3C Trace Context of the job's span."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a caller submits, pictures already kept; a bulk job has a source to read its items from.

    A job may be of an `encoder` alone, and then of no collection.
    """

    collection: str
    kind: JobKind
    lane: Lane
    items: Sequence[Item]
    top: int = 5
    min_version: int = 0
    source: Source | None = None
    webhook: str | None = None
    """Where the end of the job is told."""
    smooth: bool = False
    """Whether pictures that look alike are to be answered alike, once all have been answered."""
    origin: Origin | None = None
    encoder: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job and how far it has come; `total` still grows while it is `expanding`.

    `note` says why a job that was to be smoothed ended without that.
    """

    id: str
    collection: str
    kind: JobKind
    lane: Lane
    state: JobState
    total: int
    done: int
    failed: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    expanding: bool = False
    smooth: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit of work, of retry and of settlement, as a worker holds it."""

    id: int
    job_id: str
    kind: JobKind
    collection_id: int | None
    items: tuple[Item, ...]
    top: int
    min_version: int
    submitted_version: int
    attempts: int
    views: Views = Views.ONE
    smooth: bool = False
    collection: str = ""
    """Its name; the collection may be gone."""
    origin: Origin | None = None
    encoder: str = ""
