"""The JSON of answers, as pydantic models; the OpenAPI document is made of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from api.as_model import as_model
from api.inputs import IndexModel, QualityModel, RuleModel, without_nulls
from api.links import link
from api.pages import Page
from core.answers import (
    Candidate,
    CandidateSet,
    Contribution,
    Explanation,
    ManyNeighbour,
    Neighbour,
    Novelty,
)
from core.collections import (
    ClassKind,
    Collection,
    DecisionName,
    IndexName,
    LabelDecision,
    Labels,
    RuleName,
    Views,
)
from core.jobs import DeliveryState, Job, JobKind, JobState, Lane
from core.label_report import LabelReport
from core.quality import FindingCode
from core.report import CollectionReport, Effect
from core.results import Tally
from core.tiles import Part
from store.record.class_counts import Class
from store.record.supports import Support
from store.work.deliveries import Logged
from store.work.redecisions import CHANGED, REVIEWED, UNCHANGED, WITHOUT_VECTOR
from store.work.versions import Version

JOB_LINKS = ("results", "summary", "events", "deliveries", "cancel", "pause", "resume", "retry")


class IndexMeasureModel(BaseModel):
    """The recall@10 of an approximate index, measured with a collection's own supports."""

    name: IndexName
    recall_at_10: float
    asked: int = Field(description="Supports used as queries, each without itself.")
    supports: int
    version: int
    measured_at: datetime


class CollectionModel(BaseModel):
    """A collection with its counts."""

    name: str
    encoder: str
    rule: RuleModel
    views: Views
    prompts: str | list[str] | None
    index: IndexModel
    index_measured: IndexMeasureModel | None = Field(
        description="Null while search is exact, and for `milvus`."
    )
    version: int
    classes: int
    supports: int
    created_at: datetime
    labels: Labels = Field(description="How many labels a picture has: exactly one, or `many`.")
    quality: QualityModel = Field(description="What pictures are checked for when they are enrolled.")

    @classmethod
    def of(cls, collection: Collection) -> CollectionModel:
        rule = asdict(collection.rule)
        if collection.labels is Labels.ONE:
            rule |= {"aim": None, "precision": None}
        return as_model(cls, collection, rule=rule)


class ClassModel(BaseModel):
    """A class with its number of supports."""

    label: str
    kind: ClassKind
    supports: int
    created_at: datetime
    thumbnails: list[str] = Field(description="Thumbnails of its first supports, at most 4.")

    @classmethod
    def of(cls, collection: str, class_: Class) -> ClassModel:
        thumbnails = [thumbnail_path(collection, support) for support in class_.first]
        return as_model(cls, class_, thumbnails=thumbnails)


class SupportModel(BaseModel):
    """One labelled picture, with `label`, or with `labels` and `complete` if a picture may have several."""

    id: int
    label: str | None = None
    labels: list[str] | None = Field(None, description="Sorted, with what they imply.")
    complete: bool | None = Field(None, description="Whether it has no other labels.")
    picture_sha256: str
    thumbnail: str
    external_id: str | None
    metadata: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, collection: str, support: Support) -> SupportModel:
        several = support.labels
        return as_model(
            cls,
            support,
            labels=None if several is None else several.labels,
            complete=None if several is None else several.complete,
            picture_sha256=support.picture,
            thumbnail=thumbnail_path(collection, support.id),
        )

    @model_serializer(mode="wrap")
    def _leave_out_what_it_has_not(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_nulls(dump(self), "label", "labels", "complete")


class Progress(BaseModel):
    """The progress of a job."""

    total: int
    done: int
    failed: int
    rate_per_s: float | None
    eta_s: float | None


class VersionModel(BaseModel):
    """A version of a job's answers: the first, or one that deciding again made."""

    version: int
    index_version: int = Field(description="The collection's version when these answers were requested.")
    decided_at: datetime | None = Field(description="Null for the first one until the job has ended.")

    @classmethod
    def of(cls, version: Version) -> VersionModel:
        return as_model(cls, version, version=version.number)


class JobModel(BaseModel):
    """A job."""

    id: str
    collection: str
    kind: JobKind
    lane: Lane
    state: JobState
    expanding: bool = Field(description="Its items are still being read from the upload; total grows.")
    smooth: bool = Field(description="Its results are smoothed over nearest pictures before it ends.")
    note: str | None = Field(description="Why results that should have been smoothed are not, or not all.")
    target: str | None = Field(
        None,
        description="The job that this one is about: it decides again, groups, or enrols what was reviewed.",
    )
    progress: Progress
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    versions: list[VersionModel] | None = Field(
        None,
        description="The versions of its answers, oldest first; only where one job is shown. Empty if it "
        "makes no decisions.",
    )
    links: dict[str, str]

    @classmethod
    def of(cls, job: Job, now: float, versions: Sequence[Version] | None = None) -> JobModel:
        return as_model(
            cls,
            job,
            progress=_progress(job, now),
            versions=None if versions is None else [VersionModel.of(version) for version in versions],
            links={"self": link(f"/v1/jobs/{job.id}")}
            | {name: link(f"/v1/jobs/{job.id}/{name}") for name in JOB_LINKS},
        )


class ChangedLabel(BaseModel):
    """How many answers changed from one label to another; null is no label, a list are all of several."""

    model_config = ConfigDict(serialize_by_alias=True)
    before: str | list[str] | None = Field(alias="from")
    after: str | list[str] | None = Field(alias="to")
    items: int


class JobSummary(BaseModel):
    """The number of results of a job by label, decision and error code, greatest first."""

    job: str
    state: JobState
    total: int
    done: int
    failed: int
    labels: dict[str, int]
    decisions: dict[str, int]
    errors: dict[str, int]
    findings: dict[str, int] | None = Field(
        None, description="Of pictures that are, or would be, enrolled: what is wrong with them."
    )
    reviewed: int = Field(description="How many answers people have reviewed.")
    final_labels: dict[str, int] = Field(description="`labels` with the reviews applied.")
    note: str | None = Field(description="Why results that should have been smoothed are not, or not all.")
    asked: int | None = Field(
        None, description="Of a job that decides again: how many items it decided so far."
    )
    changed: int | None = Field(None, description="How many of them got another label or decision.")
    reviewed_left_alone: int | None = Field(
        None, description="How many people have reviewed; they are left alone."
    )
    without_vector: int | None = Field(
        None,
        description="How many it could not decide: they failed, or have no vector of the current encoder.",
    )
    changes: list[ChangedLabel] | None = Field(None, description="Its changes by label, most frequent first.")

    @classmethod
    def of(cls, job: Job, tally: Tally, reviewed: int, change: Mapping[str, int]) -> JobSummary:
        final = Counter(tally["labels"])
        final.update(change)
        counts = {name: tally.get(name) for name in ("labels", "decisions", "errors", "findings")}
        final_labels = dict((+final).most_common())
        redecided = _redecided(job, tally)
        return as_model(
            cls, job, job=job.id, reviewed=reviewed, final_labels=final_labels, **counts, **redecided
        )


class AttemptModel(BaseModel):
    """One call of a webhook: the status of the answer, or the error."""

    number: int
    at: datetime
    took_ms: float
    status: int | None
    error: str | None


class DeliveryModel(BaseModel):
    """A webhook's delivery; of `url` only the host is shown: path and query may contain secrets."""

    id: str
    url: str
    state: DeliveryState
    created_at: datetime
    next_at: datetime | None
    attempts: list[AttemptModel]

    @classmethod
    def of(cls, delivery: Logged) -> DeliveryModel:
        return as_model(cls, delivery, url=_masked(delivery.url))


class DeliveryList(BaseModel):
    """The deliveries of a job, oldest first."""

    items: list[DeliveryModel]


@dataclass(frozen=True, slots=True)
class NeighbourModel(Neighbour):
    """A support near the picture."""

    thumbnail: str
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class ManyNeighbourModel(ManyNeighbour):
    """A support near the picture, with its labels."""

    thumbnail: str
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class ContributionModel(Contribution):
    """A support that contributed to the best class."""

    thumbnail: str
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class ExplanationModel(Explanation):
    """The explanation of the best class."""

    supports: Annotated[
        tuple[ContributionModel, ...],
        Field(description="The supports that contributed most, largest share first."),
    ]


class LabelAnswerModel(BaseModel):
    """One of several labels of a picture that is, or may be, right; without explanation if decided again."""

    label: str
    probability: float
    decision: LabelDecision = Field(description="`yes` from the label's threshold on, `unsure` below it.")
    explanation: ExplanationModel | None = None
    part: Part | None = Field(
        None,
        description="The part of the picture that decided it, in fractions of the picture; null for the "
        "whole picture. Only the views `tiles` look at parts.",
    )


class ProblemModel(BaseModel):
    """A problem object (RFC 9457) with a stable code."""

    type: str
    title: str
    code: str
    detail: str
    retry: bool
    status: int | None = None
    request_id: str | None = Field(None, description="The request's id, as in the log and `X-Request-Id`.")


class ReviewModel(BaseModel):
    """A person's verdict on an answer: the right label, null for none of the classes, or all `labels`."""

    label: str | None = None
    labels: list[str] | None = Field(None, description="All labels, where pictures have several.")
    accepted: bool = Field(description="Whether the answer was accepted as it stood.")
    by: str = Field(description="The name of the key, `local` where no key was needed.")
    at: datetime
    enroll: bool = Field(False, description="Whether it makes the picture a support of its label.")
    enroll_job: str | None = Field(None, description="The job that does, if the picture was none before.")
    support_id: int | None = Field(None, description="That support; null until the job is done.")


class FindingModel(BaseModel):
    """What is found wrong with a picture that is to be enrolled."""

    code: FindingCode
    value: float = Field(description="What was measured.")
    limit: float = Field(description="The limit of the quality settings that it passed.")
    support_id: int | None = Field(None, description="The support that it is about.")
    label: str | None = Field(None, description="The class of that support, or that the picture looks like.")


class AnswerBefore(BaseModel):
    """An answer that was decided again."""

    decision: DecisionName
    label: str | None = None
    labels: list[LabelAnswerModel] | None = None
    confidence: float


class ResultModel(BaseModel):
    """The result of one item; its fields depend on the kind of the job and on `status`."""

    item: int
    custom_id: str | None
    status: Literal["done", "failed"]
    decision: DecisionName | None = None
    label: str | None = Field(
        None, description="The predicted class; the best guess if ambiguous, null if unknown."
    )
    final_label: str | None = Field(
        None, description="`label`, or the label that a person gave; null if it is none of the classes."
    )
    final_labels: list[str] | None = Field(
        None, description="Where pictures have several labels: those that are `yes`, or that a person gave."
    )
    reviewed: bool | None = Field(None, description="Whether a person has reviewed the answer.")
    review: ReviewModel | None = None
    confidence: float | None = Field(None, description="The probability of the best class.")
    automatic: bool | None = Field(
        None,
        description="Whether the label needs no person by the rule's `max_error`; null without one.",
    )
    candidates: list[Candidate] | None = None
    neighbours: list[NeighbourModel] | list[ManyNeighbourModel] | None = None
    labels: list[LabelAnswerModel] | list[str] | None = Field(
        None,
        description="If a picture may have several labels: those that are `yes` or `unsure`, most probable "
        "first; of an enrolled picture those of its support, sorted.",
    )
    complete: bool | None = Field(
        None, description="Of an enrolled picture with `labels`: whether its support has no others."
    )
    rule: RuleName | None = Field(None, description="The rule that decided, never `auto`.")
    explanation: ExplanationModel | None = None
    candidate_set: CandidateSet | None = Field(
        None, description="Null if there are too few supports to compute one."
    )
    novelty: Novelty | None = None
    smoothed: bool | None = Field(
        None, description="For jobs with `smooth`: whether this result has been smoothed yet."
    )
    outcome: str | None = Field(
        None,
        description="Of a job that decides again: `changed`, `unchanged`, or why the answer was left alone: "
        "`reviewed` or `without_vector`.",
    )
    before: AnswerBefore | None = Field(None, description="The answer that was decided again.")
    items: list[int] | None = Field(None, description="Of a group: its items, most central first.")
    size: int | None = None
    tightness: float | None = Field(
        None, description="Of a group: the mean cosine similarity of its items to their centre."
    )
    representative: int | None = Field(None, description="Of a group: its most central item.")
    suggested: list[int] | None = Field(
        None, description="Of a group: items to enrol, the most central one and the most different ones."
    )
    report: CollectionReport | None = None
    effect: Effect | None = None
    label_report: LabelReport | None = None
    quarantine_id: int | None = Field(
        None,
        description="Of a picture enrolled with the scope `contribute`: it waits to be accepted.",
    )
    support_id: int | None = None
    duplicate_of: int | None = Field(
        None,
        description="The support that already had this picture, `support_id` itself or one of another class.",
    )
    duplicate_label: str | None = Field(None, description="The class of `duplicate_of`.")
    findings: list[FindingModel] | None = Field(
        None, description="Of a picture that is, or would be, enrolled: what is wrong with it."
    )
    index_version: int | None = None
    encoder: str | None = None
    timing_ms: dict[str, float] | None = None
    error: ProblemModel | None = None


class FinishedJob(JobModel):
    """A job that was waited for, with its first results."""

    results: list[ResultModel]
    next_cursor: str | None = Field(description="Where `/results?cursor=` goes on, if these are not all.")


class LabelCount(BaseModel):
    """The number of items that a class would get."""

    label: str
    items: int


class DryProblem(BaseModel):
    """An item that would fail."""

    item: int
    custom_id: str | None
    error: ProblemModel


class DryRun(BaseModel):
    """What a bulk job would do; pictures are not decoded.

    If `complete` is false, not all items could be read in the time limit, and the numbers
    are those of the first `items`.
    """

    collection: str
    kind: JobKind
    complete: bool
    items: int
    failing: int
    bytes: int
    classes: list[LabelCount]
    problems: list[DryProblem]


class CollectionPage(Page[CollectionModel]):
    """A page of collections."""


class ClassPage(Page[ClassModel]):
    """A page of classes."""


class SupportPage(Page[SupportModel]):
    """A page of supports."""


class JobPage(Page[JobModel]):
    """A page of jobs, newest first."""


class ResultPage(Page[ResultModel]):
    """A page of results in the order of the items; while the job runs, up to the first gap."""


class Health(BaseModel):
    """The state of the service."""

    status: str
    checks: dict[str, str] = Field(default_factory=dict)


def thumbnail_path(collection: str, support_id: int) -> str:
    """Return the path of a support's thumbnail."""
    return link(f"/v1/collections/{collection}/supports/{support_id}/thumbnail")


def _progress(job: Job, now: float) -> Progress:
    ready, rate, eta_s = job.done + job.failed, None, None
    if job.started_at is not None and ready:
        rate = ready / max((job.finished_at or now) - job.started_at, 1e-3)
        eta_s = None if job.finished_at is not None or job.expanding else round((job.total - ready) / rate, 1)
    return as_model(Progress, job, rate_per_s=None if rate is None else round(rate, 2), eta_s=eta_s)


def _redecided(job: Job, tally: Tally) -> dict[str, Any]:
    """Return the fields of a summary that only a job that decides again has."""
    if job.kind is not JobKind.REDECIDE:
        names = ("asked", "changed", "reviewed_left_alone", "without_vector", "changes")
        return dict.fromkeys(names)
    outcomes = tally.get("outcomes", {})
    changed = outcomes.get(CHANGED, 0)
    return {
        "asked": changed + outcomes.get(UNCHANGED, 0),
        "changed": changed,
        "reviewed_left_alone": outcomes.get(REVIEWED, 0),
        "without_vector": outcomes.get(WITHOUT_VECTOR, 0),
        "changes": [
            ChangedLabel.model_validate({"from": before, "to": after, "items": items})
            for pair, items in tally.get("changes", {}).items()
            for before, after in [json.loads(pair)]
        ],
    }


def _masked(url: str) -> str:
    """Return a URL without its path and query: at some receivers they are the secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" + ("/..." if parts.path.strip("/") or parts.query else "/")
