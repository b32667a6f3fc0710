"""What the service takes and gives."""

# Generated; `make generate` writes it.

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """What a later version of the service adds is kept."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)


class AskItem(Model):
    """A picture to classify, or to search with."""

    custom_id: str | None = Field(default=None)
    image: Image


class AskItems(Model):
    """Pictures to classify, or to search with."""

    items: list[AskItem]


class Attempt(Model):
    """One call of a webhook: the status that came back, or what went wrong."""

    at: datetime
    error: str | None
    number: int
    status: int | None
    took_ms: float


class Average(Model):
    """An average over the classes that were judged."""

    f1: float
    judged: int
    precision: float
    recall: float


class BulkPlaces(Model):
    """Pictures that are elsewhere: one of the two."""

    folder: str | None = Field(default=None)
    """A folder under the roots that the server allows."""
    urls: list[str] | None = Field(default=None)


class Candidate(Model):
    """A class that may be meant."""

    label: str
    probability: float


class CandidateSet(Model):
    """The labels among which the true one is, as often as `level` says (a conformal set).

    Learnt from the collection's own supports, for pictures of its classes.
    """

    labels: list[str]
    """The most probable first."""
    level: float
    """How often such a set holds the true label, as the rule's `coverage`."""


class ChangedAnswer(Model):
    """A support that the two encoders name differently, each judging it by the others."""

    label: str
    named: str
    """By the encoder that answers."""
    other_named: str
    """By the other encoder."""
    other_probability: float
    probability: float
    support_id: int


class ClassChange(Model):
    """What to change about a class."""

    kind: ClassKind | None = Field(default=None)
    label: str | None = Field(default=None)


ClassKind = Literal["normal", "negative"] | str
"""`negative` classes stand for things that must not be named."""


class ClassLine(Model):
    """One class in the familiar table; no figures where it could not be judged."""

    f1: float | None
    judged: int
    """Supports judged, each by the others: what the table calls support."""
    judgement: Judgement
    """`rough` below 8 supports, `not_assessable` below 2."""
    kind: ClassKind
    label: str
    precision: float | None
    recall: float | None
    supports: int
    """Supports enrolled."""


class Class(Model):
    """A class with its number of supports."""

    created_at: datetime
    kind: ClassKind
    label: str
    supports: int
    thumbnails: list[str]
    """Those of its first supports, at most 4."""


class ClassPage(Model):
    """A page of classes."""

    items: list[Class]
    next_cursor: str | None


class CollectionChange(Model):
    """What to change about a collection; what is left out stays as it is."""

    index: Index | None = Field(default=None)
    rule: RuleChange | None = Field(default=None)


class Collection(Model):
    """A collection with its counts."""

    classes: int
    created_at: datetime
    encoder: str
    index: Index
    index_measured: IndexMeasure | None
    """Null while every search compares with all supports, and for `milvus`."""
    name: str
    prompts: str | list[str] | None
    rule: Rule
    supports: int
    version: int
    views: Views


class CollectionPage(Model):
    """A page of collections."""

    items: list[Collection]
    next_cursor: str | None


class CollectionReport(Model):
    """What the supports of a collection say about it, each judged without its fold (leave-fold-out)."""

    accuracy: float | None
    classes: list[ClassLine]
    confused_pairs: ListedConfusedPair
    confusion: Confusion
    duplicates: ListedDuplicates
    examined: int
    """Supports looked through for wrong labels and near duplicates."""
    index: IndexName | None = Field(default=None)
    """How the supports are searched."""
    judged: int
    """Supports that the figures are of; those alone in their class are not."""
    macro_avg: Average | None
    metric: Metric
    near_duplicates: ListedDuplicates
    notes: list[str]
    recall_at_10: float | None = Field(default=None)
    """How many of a support's nearest ten the index finds; null where every search compares with all supports, and for `milvus`."""
    rule: RuleName
    rule_used: RuleName
    """The rule that answers: `auto` is one of the others."""
    supports: int
    suspects: ListedSuspect
    too_small: ListedSmallClass
    version: int
    """The version of the collection that this is said of."""
    wanted: ListedWanted
    weighted_avg: Average | None


class Comparison(Model):
    """What would change if the collection answered by its other encoder."""

    broken: int
    """Answers that are right now and would be wrong."""
    changed: ListedChangedAnswer
    """Answers that would change, at most 1000."""
    compared: int
    """Supports that both encoders have seen; the reports are of these."""
    encoder: str
    """The collection answers by it."""
    mended: int
    """Answers that are wrong now and would be right."""
    notes: list[str]
    other: str
    other_report: CollectionReport
    report: CollectionReport
    version: int


class ConfusedCell(Model):
    """How many supports of one class were taken for another."""

    count: int
    label: str
    named: str


class ConfusedPair(Model):
    """Two classes taken for each other."""

    count: int
    """Supports of either class that were taken for the other."""
    labels: tuple[str, str]
    rate: float
    """Their share in the judged supports of both."""
    taken: tuple[int, int]
    """First taken for second, second taken for first."""


class Confusion(Model):
    """The confusion matrix: row i counts what supports of class i were taken for."""

    complete: bool
    """Whether every class is in the matrix."""
    counts: list[list[int]]
    errors: ListedConfusedCell | None
    """Where it is not complete: the cells off the diagonal over all classes, at most 1000."""
    labels: list[str]
    """At most 100: of more classes, those confused most."""


class Contribution(Model):
    """A support that spoke for the best class."""

    label: str
    share: float
    """Its part of what spoke for the best class."""
    similarity: float
    """Cosine similarity to the picture."""
    support_id: int
    thumbnail: str


DecisionName = Literal["known", "unknown", "ambiguous"] | str
"""What an answer says."""


class DeliveryList(Model):
    """The deliveries of a job, the oldest first."""

    items: list[Delivery]


class Delivery(Model):
    """A call of a webhook; of `url` only the host is shown: its path and query may hold secrets."""

    attempts: list[Attempt]
    created_at: datetime
    id: str
    next_at: datetime | None
    state: DeliveryState
    url: str


DeliveryState = Literal["waiting", "delivered", "given_up"] | str
"""Where a webhook delivery stands; the last two are final."""


class DryProblem(Model):
    """An item that would fail."""

    custom_id: str | None
    error: Problem
    item: int


class DryRun(Model):
    """What a bulk job would do; pictures are not looked into.

    Where `complete` is false there are more items than could be read in the time of a call, and the numbers
    are those of the first `items`.
    """

    bytes: int
    classes: list[LabelCount]
    collection: str
    complete: bool
    failing: int
    items: int
    kind: JobKind
    problems: list[DryProblem]


class Duplicates(Model):
    """Supports that show the same picture."""

    conflict: bool
    """Whether they stand in different classes."""
    labels: list[str]
    support_ids: list[int]


class Embedding(Model):
    """One vector of unit length."""

    embedding: list[float] | str
    """Numbers, or base64 of little-endian float32."""
    index: int
    object: Literal["embedding"] | str | None = Field(default=None)


class EmbeddingList(Model):
    """The vectors in the order of the inputs."""

    data: list[Embedding]
    model: str
    object: Literal["list"] | str | None = Field(default=None)
    usage: Usage


class EmbeddingsRequest(Model):
    """Pictures or texts to embed, named as OpenAI's call names them."""

    dimensions: int | None = Field(default=None)
    """Refused unless it is what the encoder gives."""
    encoding_format: Literal["float", "base64"] | str | None = Field(default=None)
    input: str | Picture | list[str | Picture]
    """One or several: a data: URL or base64 of a picture, {image: {base64}}, or a text for an encoder that reads."""
    model: str
    """An encoder this service offers, or a collection: its encoder and views."""
    user: str | None = Field(default=None)
    """Taken and not used."""


class EnrollItem(Model):
    """A picture to enrol."""

    custom_id: str | None = Field(default=None)
    external_id: str | None = Field(default=None)
    image: Image
    label: str
    metadata: dict[str, Any] | None = Field(default=None)
    """At most 4096 bytes as JSON, and no more than 8 levels deep."""


class EnrollItems(Model):
    """Pictures to enrol."""

    items: list[EnrollItem]


class Explanation(Model):
    """Why the best class is the best."""

    margin: float | None
    """How far the best class lies before the second, in the rule's own score; null where there is no second."""
    supports: list[Contribution]
    """The supports that decided, the weightiest first."""


class FinishedJob(Model):
    """A job that was waited for, with its first results."""

    collection: str
    created_at: datetime
    expanding: bool
    """Its items are still being read from the upload; total grows."""
    finished_at: datetime | None
    id: str
    kind: JobKind
    lane: Lane
    links: dict[str, str]
    next_cursor: str | None
    """Where `/results?cursor=` goes on, if these are not all."""
    note: str | None
    """Why results that were to be smoothed are not, or not all."""
    progress: Progress
    results: list[Result]
    smooth: bool
    """Its results are smoothed over nearest pictures before it ends."""
    started_at: datetime | None
    state: JobState


class Health(Model):
    """How the service is."""

    checks: dict[str, str] | None = Field(default=None)
    status: str


class Image(Model):
    """A picture inside JSON: one of these."""

    base64: str | None = Field(default=None)
    job: PastImage | None = Field(default=None)
    """A picture that a job has read: what it was called is put right without an upload."""
    url: str | None = Field(default=None)
    """Where a worker is to fetch it from, if the service's operator allows that."""


class IndexMeasure(Model):
    """How many of the nearest ten an approximate index finds, asked for a collection's own supports."""

    asked: int
    """Supports that were asked for, each without itself."""
    measured_at: datetime
    name: IndexName
    recall_at_10: float
    supports: int
    version: int


class Index(Model):
    """How the supports are searched; what is null is chosen by their number."""

    name: IndexName | None = Field(default=None)
    """`flat` compares with all supports; `ivf` and `rabitq` with a part of them, once there are 20,000; `milvus` keeps the vectors in Milvus instead of memory."""
    probes: int | None = Field(default=None)
    """Lists that a search looks into, of `ivf` and `rabitq`."""
    refine: int | None = Field(default=None)
    """Candidates compared exactly for each neighbour asked for, of `ivf` and `rabitq`."""


IndexName = Literal["flat", "ivf", "rabitq", "milvus"] | str
"""How supports are searched: all of them, by FAISS's shorter ways, or in Milvus."""


JobKind = Literal["classify", "enroll", "search", "report", "embed", "reindex", "compare", "import"] | str
"""What a job asks for."""


class Job(Model):
    """A job."""

    collection: str
    created_at: datetime
    expanding: bool
    """Its items are still being read from the upload; total grows."""
    finished_at: datetime | None
    id: str
    kind: JobKind
    lane: Lane
    links: dict[str, str]
    note: str | None
    """Why results that were to be smoothed are not, or not all."""
    progress: Progress
    smooth: bool
    """Its results are smoothed over nearest pictures before it ends."""
    started_at: datetime | None
    state: JobState


class JobPage(Model):
    """A page of jobs, the newest first."""

    items: list[Job]
    next_cursor: str | None


JobState = Literal["queued", "running", "paused", "succeeded", "partial", "failed", "cancelled"] | str
"""Where a job stands; the last four are final."""


class JobSummary(Model):
    """How many results of a job have which label, decision and error code, the greatest first."""

    decisions: dict[str, int]
    done: int
    errors: dict[str, int]
    failed: int
    job: str
    labels: dict[str, int]
    note: str | None
    """Why results that were to be smoothed are not, or not all."""
    state: JobState
    total: int


Judgement = Literal["fair", "rough", "not_assessable"] | str
"""How far the figures of a class can be believed."""


class LabelCount(Model):
    """How many items a class would get."""

    items: int
    label: str


Lane = Literal["interactive", "bulk"] | str
"""Where work waits: a person waits for `interactive`, nobody for `bulk`."""


class ListedChangedAnswer(Model):
    """Listed_ChangedAnswer_."""

    items: list[ChangedAnswer]
    total: int


class ListedConfusedCell(Model):
    """Listed_ConfusedCell_."""

    items: list[ConfusedCell]
    total: int


class ListedConfusedPair(Model):
    """Listed_ConfusedPair_."""

    items: list[ConfusedPair]
    total: int


class ListedDuplicates(Model):
    """Listed_Duplicates_."""

    items: list[Duplicates]
    total: int


class ListedSmallClass(Model):
    """Listed_SmallClass_."""

    items: list[SmallClass]
    total: int


class ListedSuspect(Model):
    """Listed_Suspect_."""

    items: list[Suspect]
    total: int


class ListedWanted(Model):
    """Listed_Wanted_."""

    items: list[Wanted]
    total: int


class Merge(Model):
    """The classes to merge into this one."""

    from_: list[str] = Field(alias="from")


Metric = Literal["cosine", "mse"] | str
"""How alike two vectors are: cosine similarity, or mean squared error (smaller is nearer)."""


class ModelList(Model):
    """The encoders that this service offers."""

    data: list[Offered]
    object: Literal["list"] | str | None = Field(default=None)


class Neighbour(Model):
    """A support near to the picture."""

    label: str
    similarity: float
    support_id: int
    thumbnail: str


class NewClass(Model):
    """A class to make of its name alone."""

    kind: ClassKind | None = Field(default=None)
    label: str


class NewCollection(Model):
    """A collection to make."""

    encoder: str | None = Field(default=None)
    """One of the encoders this service offers."""
    index: Index | None = Field(default=None)
    name: str
    """A slug: 1 to 63 of a-z, 0-9, - and _."""
    prompts: str | list[str] | None = Field(default=None)
    """The sentences a label is read in, by an encoder that reads: `best7`, `all80`, or your own with `{}` where the label goes. A class then answers by its name before it has a picture."""
    rule: Rule | None = Field(default=None)
    views: Views | None = Field(default=None)
    """How often each picture is looked at: once, with its mirror image, or both also cropped."""


class NewReindex(Model):
    """Which encoder the pictures of a collection are to be embedded with, beside the one that answers."""

    encoder: str


class Novelty(Model):
    """How like something known the picture is, and from where on it counts as known."""

    accepts_unfamiliar: float | None
    """The share of pictures of classes not enrolled here that are expected to be named all the same; null where it cannot be told."""
    score: float
    """The lower the less familiar."""
    threshold: float | None
    """A picture that scores less is unknown; null where there are too few supports to set one."""


class Offered(Model):
    """An encoder, as OpenAI's clients list models."""

    created: int | None = Field(default=None)
    id: str
    object: Literal["model"] | str | None = Field(default=None)
    owned_by: Literal["exemplar"] | str | None = Field(default=None)


class PastImage(Model):
    """The picture of an item that a job has read already."""

    id: str
    """The job's id."""
    item: int
    """The item's number in its results."""


class Picture(Model):
    """A picture to embed."""

    image: Image


class Problem(Model):
    """What went wrong (RFC 9457), with a code that stays the same."""

    code: str
    detail: str
    request_id: str | None = Field(default=None)
    """The request, as the log and `X-Request-Id` have it."""
    retry: bool
    status: int | None = Field(default=None)
    title: str
    type: str


class Progress(Model):
    """How far a job has come."""

    done: int
    eta_s: float | None
    failed: int
    rate_per_s: float | None
    total: int


class Reindex(Model):
    """A change of encoder and how far it has come."""

    collection: str
    embedded: int
    """Supports that both encoders have seen."""
    encoder: str
    """The collection answers by it."""
    links: dict[str, str]
    missing: list[Unseen]
    """The first 100 supports that it has not seen."""
    other: str
    """Its vectors stand beside."""
    supports: int
    switched: bool
    """Whether the collection has gone over; `back` leads back."""
    version: int
    working: bool
    """Whether pictures still wait for the other encoder."""


class Result(Model):
    """What became of one item; which fields are there depends on the kind of the job and on `status`."""

    candidate_set: CandidateSet | None = Field(default=None)
    """Null where there are too few supports to state one."""
    candidates: list[Candidate] | None = Field(default=None)
    confidence: float | None = Field(default=None)
    """The probability of the best class."""
    custom_id: str | None
    decision: DecisionName | None = Field(default=None)
    duplicate_of: int | None = Field(default=None)
    encoder: str | None = Field(default=None)
    error: Problem | None = Field(default=None)
    explanation: Explanation | None = Field(default=None)
    index_version: int | None = Field(default=None)
    item: int
    label: str | None = Field(default=None)
    """The class named; the best guess where ambiguous, null where unknown."""
    neighbours: list[Neighbour] | None = Field(default=None)
    novelty: Novelty | None = Field(default=None)
    report: CollectionReport | None = Field(default=None)
    rule: RuleName | None = Field(default=None)
    """The rule that decided; `auto` says which it chose."""
    smoothed: bool | None = Field(default=None)
    """Of a job that asks for it: whether this result has been smoothed yet."""
    status: Literal["done", "failed"] | str
    support_id: int | None = Field(default=None)
    timing_ms: dict[str, float] | None = Field(default=None)


class ResultPage(Model):
    """A page of results in the order of the items; while the job runs, as far as they stand."""

    items: list[Result]
    next_cursor: str | None


class RuleChange(Model):
    """What to change about a rule; what is left out stays as it is."""

    certainty: float | None = Field(default=None)
    coverage: float | None = Field(default=None)
    false_reject: float | None = Field(default=None)
    metric: Metric | None = Field(default=None)
    name: RuleName | None = Field(default=None)


class Rule(Model):
    """How supports become a decision, and what it aims at."""

    certainty: float | None = Field(default=None)
    """A best class less probable than this is `ambiguous`."""
    coverage: float | None = Field(default=None)
    """How often `candidate_set` is to hold the true class."""
    false_reject: float | None = Field(default=None)
    """The share of pictures of known classes that may be called unknown; 0 calls none so."""
    metric: Metric | None = Field(default=None)
    name: RuleName | None = Field(default=None)
    """`auto` is `kernel` while that answers fast enough, and `ridge` beyond."""


RuleName = Literal["auto", "kernel", "ridge", "prototype", "neighbours", "nearest"] | str
"""How supports become a decision; `auto` is `kernel` while that answers fast enough, `ridge` beyond."""


class SmallClass(Model):
    """A class too small to judge."""

    judgement: Judgement
    label: str
    supports: int


class SupportChange(Model):
    """Where to move a support."""

    label: str


class Support(Model):
    """One labelled picture."""

    created_at: datetime
    external_id: str | None
    id: int
    label: str
    metadata: dict[str, Any]
    picture_sha256: str
    thumbnail: str


class SupportPage(Model):
    """A page of supports."""

    items: list[Support]
    next_cursor: str | None


class Suspect(Model):
    """A support that may have a wrong label: it is nearer to another class than to the rest of its own."""

    label: str
    looks_like: str
    margin: float
    """Cosine to its class without itself, less that to the nearest other."""
    support_id: int


class SwitchOptions(Model):
    """How a collection goes over to its other encoder."""

    leave_out: bool | None = Field(default=None)
    """Whether supports that the other encoder has not seen may take no part."""


class Unseen(Model):
    """A support that the other encoder has no vector of."""

    external_id: str | None
    label: str
    picture: str
    """The digest of its picture, which may not be kept here."""
    support_id: int


class Usage(Model):
    """What was used: here inputs are counted, not tokens."""

    prompt_tokens: int
    total_tokens: int


Views = Literal["1", "flip", "full"] | str
"""How often a picture is looked at: once, with its mirror image, or those two whole and cropped."""


class Wanted(Model):
    """What to photograph next."""

    label: str
    more: int
    reason: str


for _model in Model.__subclasses__():  # some are named before they are made
    _model.model_rebuild()
