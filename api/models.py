"""The JSON of requests and answers, as pydantic models that the OpenAPI document is made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.types import (
    Class,
    ClassKind,
    Collection,
    Job,
    JobKind,
    JobState,
    Lane,
    Metric,
    Rule,
    RuleName,
    Support,
)

CallersId = Annotated[str, Field(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A caller's own name of something; no control characters, which PostgreSQL or a CSV could not hold."""


class Strict(BaseModel):
    """A request's model: an unknown name is an error."""

    model_config = ConfigDict(extra="forbid")


class RuleModel(Strict):
    """How neighbours become a decision."""

    name: RuleName = RuleName.PROTOTYPE
    metric: Metric = Metric.COSINE

    def value(self) -> Rule:
        return Rule(self.name, self.metric)


class NewCollection(Strict):
    """A collection to make."""

    name: str = Field(description="A slug: 1 to 63 of a-z, 0-9, - and _.", examples=["sports"])
    encoder: str | None = Field(None, description="One of the encoders this service offers.")
    rule: RuleModel = RuleModel()


class CollectionChange(Strict):
    """What to change about a collection."""

    rule: RuleModel


class CollectionModel(BaseModel):
    """A collection with its counts."""

    name: str
    encoder: str
    rule: RuleModel
    version: int
    classes: int
    supports: int
    created_at: datetime

    @classmethod
    def of(cls, collection: Collection) -> CollectionModel:
        return cls(
            name=collection.name,
            encoder=collection.encoder,
            rule=RuleModel(name=collection.rule.name, metric=collection.rule.metric),
            version=collection.version,
            classes=collection.classes,
            supports=collection.supports,
            created_at=_moment(collection.created_at),
        )


class ClassModel(BaseModel):
    """A class with its number of supports."""

    label: str
    kind: ClassKind
    supports: int
    created_at: datetime

    @classmethod
    def of(cls, class_: Class) -> ClassModel:
        return cls(
            label=class_.label,
            kind=class_.kind,
            supports=class_.supports,
            created_at=_moment(class_.created_at),
        )


class ClassChange(Strict):
    """What to change about a class."""

    label: str | None = None
    kind: ClassKind | None = None


class Merge(Strict):
    """The classes to merge into this one."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    sources: list[str] = Field(alias="from", min_length=1)


class SupportModel(BaseModel):
    """One labelled picture."""

    id: int
    label: str
    picture_sha256: str
    thumbnail: str
    external_id: str | None
    metadata: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, collection: str, support: Support) -> SupportModel:
        return cls(
            id=support.id,
            label=support.label,
            picture_sha256=support.picture,
            thumbnail=thumbnail_path(collection, support.id),
            external_id=support.external_id,
            metadata=dict(support.metadata),
            created_at=_moment(support.created_at),
        )


class SupportChange(Strict):
    """Where to move a support."""

    label: str


class Image(Strict):
    """A picture inside JSON: one of the two."""

    base64: str | None = None
    url: str | None = Field(None, description="Fetching is off; send base64 or multipart.")


class EnrollItem(Strict):
    """A picture to enrol."""

    label: str
    image: Image
    custom_id: CallersId | None = None
    external_id: CallersId | None = None
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="At most 4096 bytes as JSON, and no more than 8 levels deep."
    )


class EnrollItems(Strict):
    """Pictures to enrol."""

    items: list[EnrollItem]


class AskItem(Strict):
    """A picture to classify, or to search with."""

    image: Image
    custom_id: CallersId | None = None


class AskItems(Strict):
    """Pictures to classify, or to search with."""

    items: list[AskItem]


class Progress(BaseModel):
    """How far a job has come."""

    total: int
    done: int
    failed: int
    rate_per_s: float | None
    eta_s: float | None


class JobModel(BaseModel):
    """A job."""

    id: str
    collection: str
    kind: JobKind
    lane: Lane
    state: JobState
    progress: Progress
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    links: dict[str, str]

    @classmethod
    def of(cls, job: Job, now: float) -> JobModel:
        return cls(
            id=job.id,
            collection=job.collection,
            kind=job.kind,
            lane=job.lane,
            state=job.state,
            progress=_progress(job, now),
            created_at=_moment(job.created_at),
            started_at=None if job.started_at is None else _moment(job.started_at),
            finished_at=None if job.finished_at is None else _moment(job.finished_at),
            links={
                "self": f"/v1/jobs/{job.id}",
                "results": f"/v1/jobs/{job.id}/results",
                "cancel": f"/v1/jobs/{job.id}/cancel",
            },
        )


class CandidateModel(BaseModel):
    """A class that may be meant."""

    label: str
    probability: float


class NeighbourModel(BaseModel):
    """A support near to the picture."""

    support_id: int
    label: str
    similarity: float
    thumbnail: str


class ProblemModel(BaseModel):
    """What went wrong (RFC 9457), with a code that stays the same."""

    type: str
    title: str
    code: str
    detail: str
    retry: bool
    status: int | None = None


class ResultModel(BaseModel):
    """What became of one item; which fields are there depends on the kind of the job and on `status`."""

    item: int
    custom_id: str | None
    status: Literal["done", "failed"]
    decision: Literal["known", "unknown", "ambiguous"] | None = None
    label: str | None = None
    confidence: float | None = None
    candidates: list[CandidateModel] | None = None
    neighbours: list[NeighbourModel] | None = None
    support_id: int | None = None
    duplicate_of: int | None = None
    index_version: int | None = None
    encoder: str | None = None
    timing_ms: dict[str, float] | None = None
    error: ProblemModel | None = None


class FinishedJob(JobModel):
    """A job that was waited for, with its results."""

    results: list[ResultModel]


class CollectionPage(BaseModel):
    """A page of collections."""

    items: list[CollectionModel]
    next_cursor: str | None


class ClassPage(BaseModel):
    """A page of classes."""

    items: list[ClassModel]
    next_cursor: str | None


class SupportPage(BaseModel):
    """A page of supports."""

    items: list[SupportModel]
    next_cursor: str | None


class JobPage(BaseModel):
    """A page of jobs, the newest first."""

    items: list[JobModel]
    next_cursor: str | None


class ResultPage(BaseModel):
    """A page of results in the order of the items; while the job runs, as far as they stand."""

    items: list[ResultModel]
    next_cursor: str | None


class PageQuery(Strict):
    """Where a list goes on."""

    cursor: str | None = None
    limit: int = Field(100, ge=1, le=1000)


class SupportQuery(PageQuery):
    """Which supports."""

    label: str | None = None


class AskQuery(Strict):
    """How to answer."""

    top: int = Field(5, ge=1, le=100, description="Candidates and neighbours in each answer.")
    min_version: int = Field(0, ge=0, description="The collection's version that must be searched at least.")


class EnrollQuery(Strict):
    """How to enrol a raw body."""

    label: str | None = Field(None, description="The label, where the body is the picture itself.")


class Health(BaseModel):
    """How the service is."""

    status: str
    checks: dict[str, str] = Field(default_factory=dict)


def thumbnail_path(collection: str, support_id: int) -> str:
    """Return where a support's thumbnail is served."""
    return f"/v1/collections/{collection}/supports/{support_id}/thumbnail"


def _progress(job: Job, now: float) -> Progress:
    ready = job.done + job.failed
    if job.started_at is None or ready == 0:
        return Progress(total=job.total, done=job.done, failed=job.failed, rate_per_s=None, eta_s=None)
    rate = ready / max((job.finished_at or now) - job.started_at, 1e-3)
    eta_s = None if job.finished_at is not None else (job.total - ready) / rate
    return Progress(
        total=job.total,
        done=job.done,
        failed=job.failed,
        rate_per_s=round(rate, 2),
        eta_s=None if eta_s is None else round(eta_s, 1),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
