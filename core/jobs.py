"""Jobs and what is in them: kinds, states, items, chunks and sources, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.collections import Labels, Views

MAX_CHUNK_ITEMS = 256


class Lane(StrEnum):
    """The priority of work: a person waits for `interactive`, and `bulk` comes after it."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class JobKind(StrEnum):
    """The kind of a job."""

    CLASSIFY = "classify"
    ENROLL = "enroll"
    SEARCH = "search"
    REPORT = "report"
    EMBED = "embed"
    REINDEX = "reindex"
    COMPARE = "compare"
    IMPORT = "import"
    REDECIDE = "redecide"
    GROUP = "group"
    CHECK = "check"
    EFFECT = "effect"


class JobState(StrEnum):
    """The state of a job; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED})


class ChunkState(StrEnum):
    """The state of a chunk; the last two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SETTLED = "settled"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    """The state of a webhook delivery; the last two are final."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class QuarantineState(StrEnum):
    """The state of a contributed picture; the last two are final."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class ErasureState(StrEnum):
    """The state of an erasure."""

    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a job as it was accepted; `problem` is set if it was refused at submission.

    Its bytes are the blob `picture`, or at a `place`: `pack:DIGEST:OFFSET:SIZE` of the job's uploads,
    `file:PATH` in a server folder, or a URL.
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
    """A text to embed instead of a picture."""
    support: int | None = None
    """The support to be embedded by another encoder."""
    labels: tuple[str, ...] | None = None
    """The labels of a picture that may have several, instead of `label`."""
    complete: bool = False
    """Whether it has no other labels."""

    @property
    def is_unfetched(self) -> bool:
        """Whether its picture must be fetched over the network first."""
        return is_web_url(self.place) and self.problem is None


def is_web_url(place: str | None) -> bool:
    """Return whether a place is an http or https URL, not one that fsspec reads."""
    return place is not None and place.lower().startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a bulk job's items: uploaded files, a folder on the server, or object storage."""

    archive: str | None = None
    manifest: str | None = None
    manifest_is_csv: bool = False
    folder: str | None = None
    label: str | None = None
    """The label of pictures without one of their own."""
    bundle: str | None = None
    """The name of an uploaded collection file."""
    class_from: str | None = None
    """Which of a picture's folders names its class, `nearest` or `top`; None is `nearest` if no two clash."""
    labels: Labels = Labels.ONE
    """How many labels the collection gives a picture."""
    prefix: str | None = None
    """The URL that objects begin with, or a pattern of such URLs."""
    after: str | None = None
    """The URL of the last object under the prefix that is already in a chunk."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that submitted a job, to find the log lines and spans of its work."""

    request_id: str
    key: str
    """The id of the caller's key, or `local`."""
    traceparent: str | None = None
    """W3C Trace Context of the job's span."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job to submit, its pictures already stored; a bulk job has a source to read its items from.

    A job may belong to an `encoder` alone, without a collection.
    """

    collection: str
    kind: JobKind
    lane: Lane
    items: Sequence[Item]
    top: int = 5
    min_version: int = 0
    source: Source | None = None
    webhook: str | None = None
    """The URL to call at the end of the job."""
    smooth: bool = False
    """Whether to smooth the answers over similar pictures, once all have been answered."""
    origin: Origin | None = None
    encoder: str | None = None
    target: str | None = None
    """The job that this one is about: whose answers it decides again or groups with its `options`, or whose
    reviewed pictures it enrols, with its item there as the `custom_id` of each."""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """A job and its progress; `total` still grows while it is `expanding`.

    `note` says why a job was not smoothed although that was requested.
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
    target: str | None = None
    top: int = 5
    where: Mapping[str, Any] | None = None
    """The filter of the supports that its answers are made from."""


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
    target: str = ""
    """The job that its job is about."""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> Mapping[str, Any] | None:
        """The filter of the supports that its answers are made from."""
        return self.options.get("where")
