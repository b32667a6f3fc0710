"""The JSON and the queries that callers send, as pydantic models that the OpenAPI document is made of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.caller_fields import CallersId
from core.errors import ExemplarError
from core.types import (
    ClassKind,
    DecisionName,
    Index,
    IndexName,
    JobKind,
    Metric,
    Rule,
    RuleName,
    Views,
)


class Strict(BaseModel):
    """A request's model: an unknown name is an error."""

    model_config = ConfigDict(extra="forbid")


FalseReject = Annotated[
    float,
    Field(
        ge=0,
        le=0.5,
        allow_inf_nan=False,
        strict=True,
        description="The share of pictures of known classes that may be called unknown; 0 calls none so.",
    ),
]
Certainty = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        allow_inf_nan=False,
        strict=True,
        description="A best class less probable than this is `ambiguous`.",
    ),
]
Coverage = Annotated[
    float,
    Field(
        ge=0.5,
        le=0.99,
        allow_inf_nan=False,
        strict=True,
        description="How often `candidate_set` is to hold the true class.",
    ),
]
WhichRule = Annotated[
    RuleName,
    Field(description="`auto` is `kernel` while that answers fast enough, and `ridge` beyond."),
]


class RuleModel(Strict):
    """How supports become a decision, and what it aims at."""

    name: WhichRule = RuleName.AUTO
    metric: Metric = Metric.COSINE
    false_reject: FalseReject = Rule().false_reject
    certainty: Certainty = Rule().certainty
    coverage: Coverage = Rule().coverage

    def value(self) -> Rule:
        return Rule(self.name, self.metric, self.false_reject, self.certainty, self.coverage)


class RuleChange(Strict):
    """What to change about a rule; what is left out stays as it is."""

    name: WhichRule | None = None
    metric: Metric | None = None
    false_reject: FalseReject | None = None
    certainty: Certainty | None = None
    coverage: Coverage | None = None


class IndexModel(Strict):
    """How the supports are searched; what is null is chosen by their number."""

    name: IndexName = Field(
        IndexName.FLAT,
        description="`flat` compares with all supports; `ivf` and `rabitq` with a part of them, once there "
        "are 20,000; `milvus` keeps the vectors in Milvus instead of memory.",
    )
    probes: int | None = Field(
        None,
        ge=1,
        le=65_536,
        strict=True,
        description="Lists that a search looks into, of `ivf` and `rabitq`.",
    )
    refine: int | None = Field(
        None,
        ge=1,
        le=1_000,
        strict=True,
        description="Candidates compared exactly for each neighbour asked for, of `ivf` and `rabitq`.",
    )

    def value(self) -> Index:
        return Index(self.name, self.probes, self.refine)


class NewCollection(Strict):
    """A collection to make."""

    name: str = Field(description="A slug: 1 to 63 of a-z, 0-9, - and _.", examples=["sports"])
    encoder: str | None = Field(None, description="One of the encoders this service offers.")
    rule: RuleModel = RuleModel()
    views: Views = Field(
        Views.ONE,
        description="How often each picture is looked at: once, with its mirror image, or both also cropped.",
    )
    prompts: str | list[str] | None = Field(
        None,
        description="The sentences a label is read in, by an encoder that reads: `best7`, `all80`, or your "
        "own with `{}` where the label goes. A class then answers by its name before it has a picture.",
        examples=["best7", ["a photo of a {}."]],
    )
    index: IndexModel = Field(default_factory=lambda: IndexModel.model_validate({}))


FIXED = ("name", "encoder", "views", "prompts")


class CollectionChange(Strict):
    """What to change about a collection; what is left out stays as it is."""

    rule: RuleChange = RuleChange()
    index: IndexModel | None = None

    @model_validator(mode="before")
    @classmethod
    def _leave_what_is_fixed(cls, raw: Any) -> Any:
        fixed = [name for name in FIXED if isinstance(raw, dict) and name in raw]
        if raw == {}:
            raise ExemplarError("request_invalid", "expected rule or index, got neither")
        if fixed:
            raise ExemplarError(
                "collection_fixed",
                f"{', '.join(fixed)}: cannot be changed once the collection is made; make another one and "
                "enrol its pictures there",
            )
        return raw


class NewClass(Strict):
    """A class to make of its name alone."""

    label: str
    kind: ClassKind = ClassKind.NORMAL


class ClassChange(Strict):
    """What to change about a class."""

    label: str | None = None
    kind: ClassKind | None = None


class Merge(Strict):
    """The classes to merge into this one."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    sources: list[str] = Field(alias="from", min_length=1, max_length=1000)


class SupportChange(Strict):
    """Where to move a support."""

    label: str


class PastImage(Strict):
    """The picture of an item that a job has read already."""

    id: str = Field(description="The job's id.")
    item: int = Field(ge=0, description="The item's number in its results.")


class Image(Strict):
    """A picture inside JSON: one of these."""

    base64: str | None = None
    job: PastImage | None = Field(
        None, description="A picture that a job has read: what it was called is put right without an upload."
    )
    url: str | None = Field(
        None, description="Where a worker is to fetch it from, if the service's operator allows that."
    )


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


class PageQuery(Strict):
    """Where a list goes on."""

    cursor: str | None = None
    limit: int = Field(100, ge=1, le=1000)


class ResultQuery(PageQuery):
    """Which results; of those asked for a page may have fewer than `limit`, or none, before the last."""

    decision: DecisionName | None = Field(None, description="Only answers that say this; JSON alone.")
    status: Literal["done", "failed"] | None = Field(None, description="Only such items; JSON alone.")


class SupportQuery(PageQuery):
    """Which supports."""

    label: str | None = None


class Told(Strict):
    """Who is told of the end of a job."""

    webhook: str | None = Field(None, description="A URL that is called when the job has ended.")


class AskQuery(Told):
    """How to answer."""

    top: int = Field(5, ge=1, le=100, description="Candidates and neighbours in each answer.")
    min_version: int = Field(0, ge=0, description="The collection's version that must be searched at least.")


class EnrollQuery(Told):
    """How to enrol a raw body."""

    label: str | None = Field(None, description="The label, where the body is the picture itself.")


class BulkQuery(AskQuery):
    """What to do with the pictures of a bulk job."""

    kind: Literal[JobKind.CLASSIFY, JobKind.ENROLL] = Field(description="What to do with the pictures.")
    label: str | None = Field(
        None, description="To enrol: the label of pictures that have none of their own."
    )
    dry_run: bool = Field(False, description="Only say what would be done.")
    smooth: bool = Field(
        False,
        description="To classify: once all are answered, smooth over each picture's five nearest.",
    )


class BulkPlaces(Strict):
    """Pictures that are elsewhere: one of the two."""

    folder: str | None = Field(None, description="A folder under the roots that the server allows.")
    urls: list[Annotated[str, Field(min_length=1, max_length=4096)]] | None = None
