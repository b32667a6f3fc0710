"""The JSON bodies and queries of requests, as pydantic models; the OpenAPI document is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from api.versions import AsOf, VersionOrName
from core.answer_order import Order
from core.caller_fields import CallersId
from core.collections import (
    Aim,
    ClassKind,
    DecisionName,
    ErrorOf,
    Index,
    IndexName,
    Labels,
    Metric,
    Rule,
    RuleName,
    Views,
)
from core.errors import ExemplarError
from core.jobs import MAX_CHUNK_ITEMS, JobKind
from core.label_sets import MAX_LABELS
from core.quality import FindingCode
from formats.class_folders import ClassFrom


class Strict(BaseModel):
    """A request's model: unknown fields are an error."""

    model_config = ConfigDict(extra="forbid")


def without_nulls(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the fields of a model, these only if they are not null."""
    return {name: value for name, value in values.items() if value is not None or name not in names}


def _share(least: float, most: float, description: str) -> Any:
    return Field(ge=least, le=most, allow_inf_nan=False, strict=True, description=description)


def _limit(most: float, description: str) -> Any:
    return Field(None, ge=0, le=most, allow_inf_nan=False, description=description)


FalseReject = Annotated[
    float,
    _share(0, 0.5, "Target share of pictures of known classes that are called unknown; 0 rejects none."),
]
Certainty = Annotated[float, _share(0, 1, "A best class less probable than this is `ambiguous`.")]
Coverage = Annotated[
    float, _share(0.5, 0.99, "Target share of `candidate_set`s that contain the true class.")
]
WhichAim = Annotated[
    Aim,
    Field(description="With several labels: what each label's threshold is set for."),
]
Precision = Annotated[
    float,
    _share(
        0.5,
        0.99,
        "With several labels: target share of right labels among those given, for the aim `precision`.",
    ),
]
MaxError = Annotated[
    float,
    _share(
        0.001,
        0.5,
        "Most wrong labels, as a share, among those that need no person: answers then say "
        "whether they are `automatic`. Null says it of none.",
    ),
]
WhichShare = Annotated[
    ErrorOf,
    Field(
        description="What `max_error` is a share of: the `automatic` labels, with a probability of 90 %; or "
        "`all` pictures, on average, which takes fewer examples."
    ),
]
WhichRule = Annotated[
    RuleName, Field(description="`auto` is `kernel` up to 2,000 supports, and `ridge` above.")
]


class RuleModel(Strict):
    """The decision rule and its targets."""

    name: WhichRule = RuleName.AUTO
    metric: Metric = Metric.COSINE
    false_reject: FalseReject = Rule().false_reject
    certainty: Certainty = Rule().certainty
    coverage: Coverage = Rule().coverage
    aim: WhichAim | None = None
    precision: Precision | None = None
    max_error: MaxError | None = None
    error_of: WhichShare = Rule().error_of

    def value(self) -> Rule:
        return Rule(**{name: value for name, value in self if value is not None})

    @model_serializer(mode="wrap")
    def _leave_out_what_does_not_apply(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found = without_nulls(dump(self), "aim", "precision", "max_error")
        return found if "max_error" in found else {n: value for n, value in found.items() if n != "error_of"}


class RuleChange(Strict):
    """Changes of a rule; omitted fields stay unchanged."""

    name: WhichRule | None = None
    metric: Metric | None = None
    false_reject: FalseReject | None = None
    certainty: Certainty | None = None
    coverage: Coverage | None = None
    aim: WhichAim | None = None
    precision: Precision | None = None
    max_error: MaxError | None = None
    error_of: WhichShare | None = None

    def changes(self) -> dict[str, Any]:
        """Return the fields to change; null takes `max_error` away, and leaves others as they are."""
        found = self.model_dump(exclude_none=True)
        return found | ({"max_error": self.max_error} if "max_error" in self.model_fields_set else {})


class IndexModel(Strict):
    """How the supports are searched; null chooses by their number."""

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
        description="Lists that a search probes (`ivf`, `rabitq`).",
    )
    refine: int | None = Field(
        None,
        ge=1,
        le=1_000,
        strict=True,
        description="Candidates compared exactly per neighbour (`ivf`, `rabitq`).",
    )

    def value(self) -> Index:
        return Index(self.name, self.probes, self.refine)


class QualityChange(Strict):
    """What pictures are checked for when they are enrolled; omitted fields stay unchanged."""

    refuse: list[FindingCode] | None = Field(
        None, description="Findings that refuse a picture; the others only warn. By default none refuses."
    )
    min_side: int | None = Field(
        None, ge=0, le=224, strict=True, description="`too_small`: pixels of the shorter side; 0 is off."
    )
    min_sharpness: float | None = _limit(
        1, "`blurred`: the share of its edges that a picture loses by one more blur; 0 is off."
    )
    min_light: float | None = _limit(
        255, "`too_dark`: the light that 95 % of the pixels do not reach, of 255; 0 is off."
    )
    max_light: float | None = _limit(
        255, "`too_bright`: the light that 95 % of the pixels exceed, of 255; 255 is off."
    )
    near_share: float | None = _limit(
        1,
        "`near_duplicate_of_other_class`: the distance to a support of another class, as a share of the "
        "median distance between nearest supports; 0 finds only equal pictures.",
    )
    unlike_deviations: float | None = Field(
        None,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="`unlike_its_class`: standard deviations below the usual similarity to the class.",
    )
    conflict_deviations: float | None = Field(
        None,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="`label_conflict`: standard deviations below the usual lead of a picture's own class, if "
        "another one is nearer.",
    )

    def changes(self) -> dict[str, Any]:
        """Return the fields that were given, as `Quality` has them."""
        found = self.model_dump(exclude_none=True)
        return found | ({"refuse": tuple(found["refuse"])} if "refuse" in found else {})


class QualityModel(BaseModel):
    """What pictures are checked for when they are enrolled."""

    refuse: list[FindingCode]
    min_side: int
    min_sharpness: float
    min_light: float
    max_light: float
    near_share: float
    unlike_deviations: float
    conflict_deviations: float


class NewCollection(Strict):
    """A collection to create."""

    name: str = Field(description="A slug: 1 to 63 of a-z, 0-9, - and _.", examples=["sports"])
    encoder: str | None = Field(None, description="One of the encoders this service offers.")
    rule: RuleModel = RuleModel()
    views: Views = Field(
        Views.ONE,
        description="Views of each picture: the picture, with its mirror image, or both also cropped. With "
        "`labels` `many` also `tiles`: of a classified picture, five crops are looked at as well.",
    )
    prompts: str | list[str] | None = Field(
        None,
        description="Prompts for labels, if the encoder has a text side: `best7`, `all80`, or your "
        "own with `{}` in place of the label. A class then answers by its name before it has a picture.",
        examples=["best7", ["a photo of a {}."]],
    )
    index: IndexModel = Field(default_factory=lambda: IndexModel.model_validate({}))
    labels: Labels = Field(Labels.ONE, description="How many labels a picture has: exactly one, or `many`.")
    quality: QualityChange = QualityChange.model_validate({})


FIXED = ("encoder", "views", "prompts", "labels")


class CollectionChange(Strict):
    """Changes of a collection; omitted fields stay unchanged."""

    name: str | None = Field(None, description="A new name; jobs and API keys of the collection follow it.")
    rule: RuleChange = RuleChange()
    index: IndexModel | None = None
    quality: QualityChange = QualityChange.model_validate({})

    @model_validator(mode="before")
    @classmethod
    def _leave_what_is_fixed(cls, raw: Any) -> Any:
        fixed = [name for name in FIXED if isinstance(raw, dict) and name in raw]
        if raw == {}:
            raise ExemplarError("request_invalid", "expected name, rule, index or quality, got none of them")
        if fixed:
            raise ExemplarError(
                "collection_fixed",
                f"{', '.join(fixed)}: fixed once the collection is created; create another one and "
                "enrol its pictures there",
            )
        return raw


Kind = Literal[ClassKind.NORMAL, ClassKind.NEGATIVE]


class NewClass(Strict):
    """A class to create from its name."""

    label: str
    kind: Kind = ClassKind.NORMAL


class ClassChange(Strict):
    """Changes of a class."""

    label: str | None = None
    kind: Kind | None = None


class Merge(Strict):
    """The classes to merge into this one."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    sources: list[str] = Field(alias="from", min_length=1, max_length=1000)


SeveralLabels = Annotated[list[str], Field(max_length=MAX_LABELS)]
Complete = Annotated[
    bool,
    Field(strict=True, description="Whether these are all of its labels; otherwise it may have others."),
]


class SupportChange(Strict):
    """The class to move a support to, or the several labels that it gets or loses; or its id and metadata."""

    label: str | None = None
    labels: SeveralLabels | None = Field(None, description="Labels instead of those that it has.")
    add: SeveralLabels | None = None
    remove: SeveralLabels | None = Field(None, description="Labels to take away, with those below them.")
    complete: Complete | None = None
    external_id: CallersId | None = Field(None, description="Another id of yours; null removes it.")
    metadata: dict[str, Any] | None = Field(
        None,
        description="Metadata to add to what it has, name by name; a name with null is removed. At most 4096 "
        "bytes as JSON in all.",
    )

    @property
    def moves(self) -> bool:
        """Whether its class or labels change."""
        return any(one is not None for one in (self.label, self.labels, self.add, self.remove, self.complete))

    @property
    def said(self) -> dict[str, Any]:
        """What its caller says of it, of what was given."""
        return self.model_dump(include={"external_id", "metadata"} & self.model_fields_set)

    @model_validator(mode="after")
    def _check(self) -> SupportChange:
        changes = self.add is not None or self.remove is not None
        ways = [self.label is not None, self.labels is not None, changes]
        if sum(ways) > 1 or self.moves == bool(self.said):
            raise ValueError(
                "expected label, or labels, or any of add, remove and complete; or external_id and metadata"
            )
        if "metadata" in self.said and self.metadata is None:
            raise ValueError("metadata: expected an object; null removes single names in it")
        return self


class PastImage(Strict):
    """The picture of an item that a job has already read."""

    id: str = Field(description="The job's id.")
    item: int = Field(ge=0, description="The item's number in its results.")


class Image(Strict):
    """A picture inside JSON: exactly one of these."""

    base64: str | None = None
    job: PastImage | None = Field(
        None, description="A picture of an earlier job, to correct its answer without another upload."
    )
    url: str | None = Field(
        None, description="A URL for a worker to fetch, if the service's operator allows that."
    )


class EnrollItem(Strict):
    """A picture to enrol, with `label`, or with `labels` if a picture may have several."""

    label: str | None = None
    labels: list[str] | None = Field(None, description="At most 100; an empty list: none of the labels.")
    complete: Complete | None = Field(None, description="Whether these are all of its labels.")
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


SearchText = Annotated[
    str,
    Field(
        min_length=1, max_length=2048, description="A text, for a collection whose encoder has a text side."
    ),
]


class SearchItem(Strict):
    """A picture or a text to search with."""

    image: Image | None = None
    text: SearchText | None = None
    custom_id: CallersId | None = None

    @model_validator(mode="after")
    def _check(self) -> SearchItem:
        if (self.image is None) == (self.text is None):
            raise ValueError("expected one of image and text")
        return self


class SearchItems(Strict):
    """Pictures and texts to search with, or one text."""

    items: list[SearchItem] | None = None
    text: SearchText | None = None


class PageQuery(Strict):
    """The position of a page in a list."""

    cursor: str | None = None
    limit: int = Field(100, ge=1, le=1000)


class JobQuery(PageQuery):
    """A selection of jobs."""

    target: str | None = Field(
        None,
        description="Only the jobs about this one. Without it, the ones that enrol for reviews are left out.",
    )


class Selection(Strict):
    """A selection of answers by what they say and whether a person has reviewed them."""

    decision: DecisionName | None = Field(None, description="Only answers with this decision.")
    label: str | None = Field(None, description="Only answers whose `final_label` is this one.")
    min_confidence: float | None = Field(None, ge=0, le=1, description="Only answers at least as confident.")
    max_confidence: float | None = Field(None, ge=0, le=1, description="Only answers at most as confident.")
    reviewed: bool | None = Field(None, description="Only answers that are reviewed, or that are not.")
    automatic: bool | None = Field(
        None, description="Only answers that need no person, or that do; none without an error budget."
    )
    path: str | None = Field(
        None, max_length=1024, description="Only items whose `custom_id` (a file's path) contains this text."
    )


Version = Annotated[
    int | None,
    Field(ge=1, le=2**31 - 1, description="Answers as of this version of the job; the newest by default."),
]


class ResultQuery(PageQuery, Selection):
    """A selection of results, for JSON; a page may have fewer than `limit`, or none, before the last one."""

    order: Order = Field(
        Order.ITEM,
        description="`item` as submitted; `value` what to review first, reviewed answers last; `confidence` "
        "the least first; `name` of the item. What is reviewed meanwhile keeps its place in later pages.",
    )
    version: Version = None
    status: Literal["done", "failed"] | None = Field(None, description="Only items with this status.")


class SummaryQuery(Strict):
    """The version of the answers that are counted."""

    version: Version = None


class AsOfQuery(Strict):
    """The version of a collection that is reported on."""

    version: AsOf = None


class DiffQuery(PageQuery):
    """The versions of a collection to compare."""

    before: VersionOrName = Field(alias="from", description="A version, by number or name.")
    after: VersionOrName = Field(alias="to", description="Another version.")
    job: str | None = Field(None, description="A classify job whose answers are decided at both.")


class Redecide(Strict):
    """Options of deciding again."""

    dry_run: bool = Field(False, strict=True, description="Only report what would change.")
    version: AsOf = None


class NewGroups(Strict):
    """Options of groups."""

    max_groups: int = Field(100, ge=1, le=MAX_CHUNK_ITEMS, strict=True, description="Most groups.")


Where = Annotated[
    str | None,
    Field(
        max_length=16_384,
        description="Only supports whose metadata have these values, as a JSON object: "
        '`{"site": "north", "year": [2025, 2026]}`, a list for any of several.',
    ),
]


class SupportQuery(PageQuery):
    """A selection of supports."""

    label: str | None = Field(None, description="Only supports that bear this label.")
    where: Where = None


class WebhookQuery(Strict):
    """The webhook of a job."""

    webhook: str | None = Field(None, description="A URL that is called when the job has ended.")


class AskQuery(WebhookQuery):
    """Options of an answer."""

    top: int = Field(5, ge=1, le=100, description="Candidates and neighbours in each answer.")
    min_version: int = Field(0, ge=0, description="The oldest collection version that may be searched.")
    version: AsOf = None
    where: Where = None


class EnrollQuery(WebhookQuery):
    """Options of enrolling a raw body."""

    label: str | None = Field(None, description="The label, if the body is the picture itself.")
    complete: bool | None = Field(
        None,
        description="Of a picture that may have several labels: whether this is the only one.",
    )


class EnrollOptions(EnrollQuery):
    """Options of an enrolment."""

    dry_run: bool = Field(
        False,
        description="Only say what is wrong with the pictures, as a job of kind `check`; nothing is added.",
    )


class BulkQuery(AskQuery):
    """Options of a bulk job."""

    kind: Literal[JobKind.CLASSIFY, JobKind.ENROLL, JobKind.CHECK] = Field(
        description="What to do with the pictures; `check` says what enrolling them would find."
    )
    label: str | None = Field(None, description="To enrol: the label of pictures without one of their own.")
    class_from: ClassFrom | None = Field(
        None,
        description="To enrol: which of a picture's folders names its class, the nearest one or the top one. "
        "Without it the nearest does, and folders of one name in different places are refused.",
    )
    dry_run: bool = Field(False, description="Only count what would be done, without decoding a picture.")
    smooth: bool = Field(
        False,
        description="To classify: once all are answered, smooth over each picture's five nearest.",
    )


class BulkPlaces(Strict):
    """Pictures that are elsewhere: one of the three."""

    folder: str | None = Field(None, description="A folder under EXEMPLAR_ROOTS on the server.")
    urls: list[Annotated[str, Field(min_length=1, max_length=4096)]] | None = None
    prefix: str | None = Field(
        None,
        min_length=1,
        max_length=2048,
        description="Object storage: everything below a URL such as s3://bucket/2026/, or what its wildcards "
        "match, as s3://bucket/2026/**/*.jpg, under EXEMPLAR_REMOTE_PREFIXES.",
    )
