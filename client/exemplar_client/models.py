"""What the service takes and gives."""

# Generated; `make generate` writes it.

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """What a later version of the service adds is kept."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)


class AddedSuspect(Model):
    """An added picture that is nearer to another class than to the rest of its own, if all were enrolled."""

    id: int
    """The item of the check, or the id of the contribution."""
    label: str
    looks_like: str
    margin: float
    """Cosine to its class without itself, minus that to the nearest other."""


Aim = Literal["precision", "f1"] | str
"""What the threshold of each label is set for: a target precision, or the best F1 score."""


class AnswerBefore(Model):
    """An answer that was decided again."""

    confidence: float
    decision: DecisionName
    label: str | None = Field(default=None)
    labels: list[LabelAnswer] | None = Field(default=None)


class AskItem(Model):
    """A picture to classify, or to search with."""

    custom_id: str | None = Field(default=None)
    image: Image


class AskItems(Model):
    """Pictures to classify, or to search with."""

    items: list[AskItem]


class Attempt(Model):
    """One call of a webhook: the status of the answer, or the error."""

    at: datetime
    error: str | None
    number: int
    status: int | None
    took_ms: float


class AuditEntry(Model):
    """What was done, by whom and when."""

    actor: str | None
    """The id of the key; null for callers without one."""
    actor_name: str
    """The name of the key, `local`, `operator` or `service`."""
    at: datetime
    collection: str | None
    """The collection's name at that time."""
    details: dict[str, Any]
    from_version: int | None
    """The collection's version before, of what changes it."""
    id: int
    job_id: str | None
    kind: str
    request_id: str | None
    version: int | None
    """The collection's version since."""


class AuditEntryPage(Model):
    """Entries, oldest first."""

    items: list[AuditEntry]
    next_cursor: str | None


class Average(Model):
    """An average over the judged classes."""

    f1: float
    judged: int
    precision: float
    recall: float


class BulkPlaces(Model):
    """Pictures that are elsewhere: one of the three."""

    folder: str | None = Field(default=None)
    """A folder under EXEMPLAR_ROOTS on the server."""
    prefix: str | None = Field(default=None)
    """Object storage: everything below a URL such as s3://bucket/2026/, or what its wildcards match, as s3://bucket/2026/**/*.jpg, under EXEMPLAR_REMOTE_PREFIXES."""
    urls: list[str] | None = Field(default=None)


class CallerAnswers(Model):
    """The answers for one caller in the whole time."""

    answers: int
    caller: str
    """The id of its key; `local`: calls without one."""
    decisions: dict[str, int]
    estimated_accuracy: float | None
    """The mean calibrated probability of the labels given: the share of them that is right, as far as the calibration still holds."""
    label_distance: float | None
    """How far the mix of labels is from that of the examples: 0 the same, 1 nothing in common (Jensen-Shannon distance)."""
    labels: dict[str, int]
    """The labels given most often."""
    novel_share: float | None
    """The share of pictures below the threshold of `novelty`; of pictures like the examples it is about `false_reject`."""
    unknown_share: float | None
    """The share of answers without a known label."""


class Candidate(Model):
    """A candidate class."""

    label: str
    probability: float


class CandidateSet(Model):
    """The labels that contain the true one with a probability of `level` (a conformal set).

    Calibrated on the collection's own supports, for pictures of its classes.
    """

    labels: list[str]
    """Most probable first."""
    level: float
    """The target coverage: the rule's `coverage`."""


ChangeKind = (
    Literal[
        "enrolled",
        "imported",
        "reviewed",
        "moved",
        "labels_changed",
        "described",
        "deleted",
        "class_added",
        "class_changed",
        "class_renamed",
        "class_merged",
        "class_deleted",
        "rule_changed",
        "reindexed",
        "encoder_changed",
        "restored",
        "repaired",
        "erased",
    ]
    | str
)
"""What made a new version of a collection."""


class Change(Model):
    """Who made a version of a collection, when and how."""

    actor: str
    """The name of the key; `local` where no keys are in use, `operator` for a command on the machine, `service` for what nobody asked for."""
    at: datetime
    details: dict[str, Any]
    """What changed, depending on the kind."""
    from_version: int
    """The version before it. Those between are none that answers were given with."""
    job: str | None
    """The job that made the change."""
    kept: bool
    """Whether the collection can be answered as of this version."""
    key: str | None
    """The id of the key."""
    kind: ChangeKind
    name: str | None
    """The name of the version, if it has one."""
    request_id: str | None
    version: int


class ChangePage(Model):
    """A page of changes, newest first."""

    items: list[Change]
    next_cursor: str | None


class ChangedAnswer(Model):
    """A support that the two encoders classify differently, judging it by the others."""

    label: str
    named: str
    """By the active encoder."""
    other_named: str
    """By the other encoder."""
    other_probability: float
    probability: float
    support_id: int


class ChangedLabel(Model):
    """How many answers changed from one label to another; null is no label, a list are all of several."""

    from_: str | list[str] | None = Field(alias="from")
    items: int
    to: str | list[str] | None


class ClassChange(Model):
    """Changes of a class."""

    kind: Literal["normal", "negative"] | str | None = Field(default=None)
    label: str | None = Field(default=None)


class ClassDifference(Model):
    """How many supports of a label came, went, and moved to and from it."""

    added: int
    label: str
    moved_in: int
    moved_out: int
    removed: int


ClassFrom = Literal["nearest", "top"] | str
"""Which of a picture's folders names its class."""


ClassKind = Literal["normal", "negative", "set"] | str
"""The kind of a class; pictures of `negative` classes are unknown.

A `set` is a set of labels that supports of a collection of several labels a picture bear."""


class ClassKindChange(Model):
    """A class with another kind."""

    from_: ClassKind = Field(alias="from")
    label: str
    to: ClassKind


class ClassLine(Model):
    """One class in the classification report; without numbers if it could not be judged."""

    f1: float | None
    judged: int
    """Supports judged, each by the others: the table's support column."""
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
    """Thumbnails of its first supports, at most 4."""


class ClassPage(Model):
    """A page of classes."""

    items: list[Class]
    next_cursor: str | None


class ClassWorth(Model):
    """What more examples of a class are expected to be worth: a forecast."""

    high: float
    label: str
    low: float
    """The interval that contains the rise with a probability of 80 %."""
    more: int
    points: float
    """By how much its recall is expected to rise, in percentage points."""


class CollectionChange(Model):
    """Changes of a collection; omitted fields stay unchanged."""

    index: Index | None = Field(default=None)
    name: str | None = Field(default=None)
    """A new name; jobs and API keys of the collection follow it."""
    quality: QualityChange | None = Field(default=None)
    rule: RuleChange | None = Field(default=None)


class Collection(Model):
    """A collection with its counts."""

    classes: int
    created_at: datetime
    encoder: str
    index: Index
    index_measured: IndexMeasure | None
    """Null while search is exact, and for `milvus`."""
    labels: Labels
    """How many labels a picture has: exactly one, or `many`."""
    name: str
    prompts: str | list[str] | None
    quality: Quality
    rule: Rule
    supports: int
    version: int
    views: Views


class CollectionPage(Model):
    """A page of collections."""

    items: list[Collection]
    next_cursor: str | None


class CollectionReport(Model):
    """The report of a collection from its supports, each judged without its fold (leave-fold-out)."""

    accuracy: float | None
    accuracy_interval: tuple[float, float] | None = Field(default=None)
    """The interval of the accuracy at 95 % (Wilson)."""
    classes: list[ClassLine]
    confused_pairs: ListedConfusedPair
    confusion: Confusion
    duplicates: ListedDuplicates
    error_budget: ErrorBudget | None = Field(default=None)
    """Null without a `max_error`."""
    examined: int
    """Supports checked for wrong labels and near duplicates."""
    foretold: list[Foretold] | None = Field(default=None)
    """What error budgets would leave to people."""
    harmful: ListedHarmful | None = Field(default=None)
    """Supports that hurt the answers about others."""
    index: IndexName | None = Field(default=None)
    """How the supports are searched."""
    judged: int
    """Supports that were judged; the only support of a class cannot be."""
    learning_curve: LearningCurve | None = Field(default=None)
    """Null if half of the classes have fewer than three supports."""
    macro_avg: Average | None
    metric: Metric
    mistakes: ListedMistake | None = Field(default=None)
    """The supports of the matrix's off-diagonal cells."""
    near_duplicates: ListedDuplicates
    notes: list[str]
    recall_at_10: float | None = Field(default=None)
    """The recall@10 of the index; null where every search compares with all supports, and for `milvus`."""
    rule: RuleName
    rule_used: RuleName
    """The rule that answers, never `auto`."""
    supports: int
    suspects: ListedSuspect
    too_small: ListedSmallClass
    version: int
    """The collection's version that was judged."""
    wanted: ListedWanted
    weighted_avg: Average | None


class Comparison(Model):
    """What would change if the collection answered with its other encoder."""

    broken: int
    """Answers that are right now and would be wrong."""
    changed: ListedChangedAnswer
    """Answers that would change, at most 1000."""
    compared: int
    """Supports with vectors of both encoders; the reports are of these."""
    corrected: int
    """Answers that are wrong now and would be right."""
    encoder: str
    """The active encoder."""
    notes: list[str]
    other: str
    other_report: CollectionReport
    report: CollectionReport
    version: int


class ConfusedCell(Model):
    """The number of supports of one class predicted as another."""

    count: int
    label: str
    named: str


class ConfusedPair(Model):
    """Two confused classes."""

    count: int
    """Supports of either class predicted as the other."""
    labels: tuple[str, str]
    rate: float
    """Their share of the judged supports of both."""
    taken: tuple[int, int]
    """First predicted as second, second predicted as first."""


class Confusion(Model):
    """The confusion matrix: row i counts the predictions of supports of class i."""

    complete: bool
    """Whether every class is in the matrix."""
    counts: list[list[int]]
    errors: ListedConfusedCell | None
    """If it is not complete: the off-diagonal cells over all classes, at most 1000."""
    labels: list[str]
    """At most 100: of more classes, the most confused."""


class Contributed(Model):
    """A picture that a key with the scope `contribute` enrolled."""

    complete: bool | None
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    external_id: str | None
    findings: list[Finding]
    """What was found wrong with it when it came."""
    id: int
    key: str
    """The id of the key that contributed it."""
    key_name: str
    label: str | None
    """Null if a picture may have several: then see `labels`."""
    labels: list[str] | None
    metadata: dict[str, Any]
    request_id: str | None
    state: QuarantineState
    support_id: int | None
    """The support that it became."""
    thumbnail: str | None
    """Null of a refused one, of which nothing is kept."""


class ContributedPage(Model):
    """Contributions in the order in which they came."""

    items: list[Contributed]
    next_cursor: str | None


class Contribution(Model):
    """A support that contributed to the best class."""

    external_id: str | None = Field(default=None)
    label: str
    share: float
    """Its share of all contributions to the best class."""
    similarity: float
    """Cosine similarity to the picture."""
    support_id: int
    thumbnail: str


class CreatedKey(Model):
    """A new key, which cannot be shown again."""

    id: str
    key: str
    """Sent as `Authorization: Bearer <key>`."""


class CurvePoint(Model):
    """The accuracy with so many examples of each class, drawn from the supports."""

    accuracy: float
    classes: int
    """Classes with more supports than that, which were asked about."""
    examples: int
    standard_error: float


class Decided(Model):
    """What a decision did."""

    decided: int
    support_ids: list[int]
    """The supports that accepted ones became."""
    waiting: int
    """Of the selection, those that still wait: decide again."""


class Decision(Model):
    """The contributions to decide: these, or a selection. An empty one is all that wait."""

    ids: list[int] | None = Field(default=None)
    key: str | None = Field(default=None)
    """Only those of the key with this id."""
    label: str | None = Field(default=None)
    """Only those with this label, and no other."""


DecisionName = Literal["known", "unknown", "ambiguous", "none"] | str
"""The decision of an answer."""


class DeliveryList(Model):
    """The deliveries of a job, oldest first."""

    items: list[Delivery]


class Delivery(Model):
    """A webhook's delivery; of `url` only the host is shown: path and query may contain secrets."""

    attempts: list[Attempt]
    created_at: datetime
    id: str
    next_at: datetime | None
    state: DeliveryState
    url: str


DeliveryState = Literal["waiting", "delivered", "given_up"] | str
"""The state of a webhook delivery; the last two are final."""


class Drift(Model):
    """The live answers of a collection over time, periods without answers left out."""

    callers: list[CallerAnswers]
    """Those with most answers first."""
    collection: str
    false_reject: float
    """The `novel_share` to expect of pictures like those enrolled."""
    periods: list[Period]
    since: datetime
    until: datetime
    whole: Period
    """All periods together."""


class DryProblem(Model):
    """An item that would fail."""

    custom_id: str | None
    error: Problem
    item: int


class DryRun(Model):
    """What a bulk job would do; pictures are not decoded.

    If `complete` is false, not all items could be read in the time limit, and the numbers
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
    """Whether they are in different classes."""
    labels: list[str]
    support_ids: list[int]


class Effect(Model):
    """How the answers about supports would change if checked or contributed pictures were enrolled."""

    added: int
    """Pictures that would be enrolled."""
    added_accuracy: float | None
    """The share of the added ones that is answered rightly."""
    added_judged: int
    after: float | None
    became_right: int
    became_wrong: int
    before: float | None
    """The share of them that is answered rightly now."""
    change: float | None
    judged: int
    """Supports that were judged, each left out; of classes with two or more."""
    standard_error: float | None
    """Of the change, from the paired differences."""
    suspects: ListedAddedSuspect
    """Added ones with maybe wrong labels, worst first."""
    version: int
    """The collection's version that they were added to."""


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
    """Pictures or texts to embed, named as in OpenAI's call."""

    dimensions: int | None = Field(default=None)
    """Must be the encoder's own dimension if given."""
    encoding_format: Literal["float", "base64"] | str | None = Field(default=None)
    input: str | Picture | list[str | Picture]
    """One or several: a data: URL or base64 of a picture, {image: {base64}}, or a text for an encoder with a text side."""
    model: str
    """An encoder this service offers, or a collection: its encoder and views."""
    user: str | None = Field(default=None)
    """Accepted and ignored."""


class EnrollItem(Model):
    """A picture to enrol, with `label`, or with `labels` if a picture may have several."""

    complete: bool | None = Field(default=None)
    """Whether these are all of its labels."""
    custom_id: str | None = Field(default=None)
    external_id: str | None = Field(default=None)
    image: Image
    label: str | None = Field(default=None)
    labels: list[str] | None = Field(default=None)
    """At most 100; an empty list: none of the labels."""
    metadata: dict[str, Any] | None = Field(default=None)
    """At most 4096 bytes as JSON, and no more than 8 levels deep."""


class EnrollItems(Model):
    """Pictures to enrol."""

    items: list[EnrollItem]


class Erasure(Model):
    """The receipt of an erasure. It does not say whose pictures these were."""

    at: datetime
    by: str
    """The id of the key, or `local`."""
    collections: list[str] | None
    """Where; null for everywhere."""
    complete: bool
    """Whether it is done and nothing stays."""
    counts: dict[str, int]
    """What was erased: `supports`, `pictures`, `thumbnails`, `items` of jobs, their `vectors`, `reviews`, `past_answers` and `uploads`, whole `reports`, and `shown`: supports named to other items."""
    elsewhere: list[str]
    """Digests of pictures that stay, since another support or waiting work has them too."""
    finished_at: datetime | None
    id: str | None
    """Null of a dry run, of which no receipt is kept."""
    kind: str
    """What was named: `support_ids`, `external_id` or `label`."""
    links: dict[str, str]
    request_id: str | None
    state: ErasureState
    unread: list[str]
    """Jobs whose uploads were not read to the end when it began: erase again once they are."""


class ErasurePage(Model):
    """Receipts, newest first."""

    items: list[Erasure]
    next_cursor: str | None


ErasureState = Literal["running", "done"] | str
"""The state of an erasure."""


class ErrorBudget(Model):
    """What the rule's `max_error` lets be labelled by machine."""

    answers: int
    """Left-out answers that it rests on."""
    automatic: int
    """Those of them that would need no person."""
    error_of: ErrorOf
    fewest: int
    """Answers that it takes at least, if none is wrong."""
    max_error: float
    note: str
    reviewed: ReviewedAutomatic | None = Field(default=None)
    sure: float | None
    """The probability that the share of wrong labels stays within it; null of an average."""
    threshold: float | None
    """The least confidence of an automatic label; null if the supports prove too little, and people label everything."""
    to_people: float
    """The foretold share of pictures that need a person."""
    unfamiliar: float | None
    """The share of pictures of classes never enrolled that would be labelled by machine all the same, estimated by leaving out one class at a time; each of these labels is wrong."""
    wrong: int
    """Those of these that are wrong."""


ErrorOf = Literal["automatic", "all"] | str
"""What `max_error` is a share of: the labels that need no person, surely; or all pictures, on average."""


class Estimate(Model):
    """An estimate with its 95 % interval."""

    high: float
    low: float
    value: float


class Explanation(Model):
    """The explanation of the best class."""

    margin: float | None
    """Difference between the best and the second class in the rule's own score; null if there is no second."""
    supports: list[Contribution]
    """The supports that contributed most, largest share first."""


FindingCode = (
    Literal[
        "too_small",
        "blurred",
        "too_dark",
        "too_bright",
        "near_duplicate_of_other_class",
        "unlike_its_class",
        "label_conflict",
    ]
    | str
)
"""What is found wrong with a picture that is to be enrolled."""


class Finding(Model):
    """What is found wrong with a picture that is to be enrolled."""

    code: FindingCode
    label: str | None = Field(default=None)
    """The class of that support, or that the picture looks like."""
    limit: float
    """The limit of the quality settings that it passed."""
    support_id: int | None = Field(default=None)
    """The support that it is about."""
    value: float
    """What was measured."""


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
    """Why results that should have been smoothed are not, or not all."""
    progress: Progress
    results: list[Result]
    smooth: bool
    """Its results are smoothed over nearest pictures before it ends."""
    started_at: datetime | None
    state: JobState
    target: str | None = Field(default=None)
    """The job that this one is about: it decides again, groups, or enrols what was reviewed."""
    versions: list[Version] | None = Field(default=None)
    """The versions of its answers, oldest first; only where one job is shown. Empty if it makes no decisions."""


class Foretold(Model):
    """What a budget would leave to people."""

    max_error: float
    to_people: float
    """The share of pictures like the supports that would need a person."""


class Harmful(Model):
    """A support without which more of the others would be answered rightly."""

    broken: int
    """Other supports that become wrong without it."""
    fixed: int
    """Other supports that become right without it."""
    influence: float
    """The sum over the others of how much more probable their own class becomes without it."""
    label: str
    support_id: int


class Health(Model):
    """The state of the service."""

    checks: dict[str, str] | None = Field(default=None)
    status: str


class Image(Model):
    """A picture inside JSON: exactly one of these."""

    base64: str | None = Field(default=None)
    job: PastImage | None = Field(default=None)
    """A picture of an earlier job, to correct its answer without another upload."""
    url: str | None = Field(default=None)
    """A URL for a worker to fetch, if the service's operator allows that."""


class IndexMeasure(Model):
    """The recall@10 of an approximate index, measured with a collection's own supports."""

    asked: int
    """Supports used as queries, each without itself."""
    measured_at: datetime
    name: IndexName
    recall_at_10: float
    supports: int
    version: int


class Index(Model):
    """How the supports are searched; null chooses by their number."""

    name: IndexName | None = Field(default=None)
    """`flat` compares with all supports; `ivf` and `rabitq` with a part of them, once there are 20,000; `milvus` keeps the vectors in Milvus instead of memory."""
    probes: int | None = Field(default=None)
    """Lists that a search probes (`ivf`, `rabitq`)."""
    refine: int | None = Field(default=None)
    """Candidates compared exactly per neighbour (`ivf`, `rabitq`)."""


IndexName = Literal["flat", "ivf", "rabitq", "milvus"] | str
"""The index types: exact search, FAISS's approximate indexes, or Milvus."""


JobKind = (
    Literal[
        "classify",
        "enroll",
        "search",
        "report",
        "embed",
        "reindex",
        "compare",
        "import",
        "redecide",
        "group",
        "check",
        "effect",
    ]
    | str
)
"""The kind of a job."""


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
    """Why results that should have been smoothed are not, or not all."""
    progress: Progress
    smooth: bool
    """Its results are smoothed over nearest pictures before it ends."""
    started_at: datetime | None
    state: JobState
    target: str | None = Field(default=None)
    """The job that this one is about: it decides again, groups, or enrols what was reviewed."""
    versions: list[Version] | None = Field(default=None)
    """The versions of its answers, oldest first; only where one job is shown. Empty if it makes no decisions."""


class JobPage(Model):
    """A page of jobs, newest first."""

    items: list[Job]
    next_cursor: str | None


JobState = Literal["queued", "running", "paused", "succeeded", "partial", "failed", "cancelled"] | str
"""The state of a job; the last four are final."""


class JobSummary(Model):
    """The number of results of a job by label, decision and error code, greatest first."""

    asked: int | None = Field(default=None)
    """Of a job that decides again: how many items it decided so far."""
    changed: int | None = Field(default=None)
    """How many of them got another label or decision."""
    changes: list[ChangedLabel] | None = Field(default=None)
    """Its changes by label, most frequent first."""
    decisions: dict[str, int]
    done: int
    errors: dict[str, int]
    failed: int
    final_labels: dict[str, int]
    """`labels` with the reviews applied."""
    findings: dict[str, int] | None = Field(default=None)
    """Of pictures that are, or would be, enrolled: what is wrong with them."""
    job: str
    labels: dict[str, int]
    note: str | None
    """Why results that should have been smoothed are not, or not all."""
    reviewed: int
    """How many answers people have reviewed."""
    reviewed_left_alone: int | None = Field(default=None)
    """How many people have reviewed; they are left alone."""
    state: JobState
    total: int
    without_vector: int | None = Field(default=None)
    """How many it could not decide: they failed, or have no vector of the current encoder."""


Judgement = Literal["fair", "rough", "not_assessable"] | str
"""How reliable the numbers of a class are."""


class KeyList(Model):
    """All keys, oldest first."""

    items: list[Key]


class Key(Model):
    """A key without its secret."""

    collections: list[str] | None
    """The collections that it is restricted to; null: all."""
    created_at: datetime
    expires_at: datetime | None
    id: str
    name: str
    revoked: bool
    scopes: list[Scope]
    yours: bool
    """Whether this request was made with it."""


class LabelAnswer(Model):
    """One of several labels of a picture that is, or may be, right; without explanation if decided again."""

    decision: LabelDecision
    """`yes` from the label's threshold on, `unsure` below it."""
    explanation: Explanation | None = Field(default=None)
    label: str
    part: Part | None = Field(default=None)
    """The part of the picture that decided it, in fractions of the picture; null for the whole picture. Only the views `tiles` look at parts."""
    probability: float


class LabelAverage(Model):
    """The numbers of all labels together; `micro` counts each pair of a picture and a label once."""

    ece: float
    """The expected calibration error over all pairs."""
    macro_f1: float | None
    """The mean over labels."""
    map: float | None
    """The mean of the average precision over labels."""
    micro_f1: float
    micro_precision: float | None
    micro_recall: float | None


class LabelComparison(Model):
    """The reports of both encoders of a collection of several labels a picture.

    Compare `map` and `micro_f1` of their averages.
    """

    compared: int
    """Supports with vectors of both encoders; the reports are of these."""
    encoder: str
    """The active encoder."""
    notes: list[str]
    other: str
    other_report: LabelReport
    report: LabelReport
    version: int


class LabelCount(Model):
    """The number of items that a class would get."""

    items: int
    label: str


LabelDecision = Literal["yes", "unsure"] | str
"""The decision about one of several labels of a picture."""


class LabelLine(Model):
    """One label, judged on supports that are scored without themselves; without numbers if it cannot be."""

    average_precision: float | None
    expected_precision: float
    """What the threshold is expected to reach for new pictures."""
    expected_recall: float
    f1: float | None
    judged: int
    """Supports judged that bear it: not the only one of a label."""
    judgement: Judgement
    """`rough` below 8 supports, `not_assessable` below 2."""
    label: str
    precision: float | None
    recall: float | None
    supports: int
    """Supports that bear it."""
    threshold: float
    """The probability from which on the label is `yes`."""


LabelProblem = Literal["missing", "wrong"] | str
"""What may be wrong with a support's labels."""


class LabelReport(Model):
    """The report of a collection of several labels a picture, each support scored without itself.

    What a partial set does not state is not judged.
    """

    aim: Aim
    average: LabelAverage | None
    complete: int
    """Supports whose labels are complete."""
    judged: int
    """Supports that were judged."""
    labels: list[LabelLine]
    """By name."""
    notes: list[str]
    precision: float
    rule: RuleName
    rule_used: RuleName
    """The rule that answers, never `auto`."""
    supports: int
    suspects: ListedLabelSuspect
    """The surest first."""
    together: ListedTogether
    """Most frequent first."""
    version: int
    """The collection's version that was judged."""


class LabelSuspect(Model):
    """A support that may lack a label, or bear a wrong one."""

    label: str
    probability: float
    """The label's probability by all other supports."""
    problem: LabelProblem
    stated: bool
    """Whether its labels are complete: a missing one then contradicts them."""
    support_id: int


Labels = Literal["one", "many"] | str
"""The number of labels that a picture of a collection has: exactly one, or any number."""


Lane = Literal["interactive", "bulk"] | str
"""The priority of work: a person waits for `interactive`, and `bulk` comes after it."""


class LearningCurve(Model):
    """Accuracies with fewer examples, and the power law that continues them."""

    exponent: float
    """The share of wrong answers falls with examples ** -exponent."""
    exponent_error: float
    points: list[CurvePoint]
    worth: list[ClassWorth]
    """The greatest first."""


class ListedAddedSuspect(Model):
    """Listed_AddedSuspect_."""

    items: list[AddedSuspect]
    total: int


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


class ListedHarmful(Model):
    """Listed_Harmful_."""

    items: list[Harmful]
    total: int


class ListedLabelSuspect(Model):
    """Listed_LabelSuspect_."""

    items: list[LabelSuspect]
    total: int


class ListedMistake(Model):
    """Listed_Mistake_."""

    items: list[Mistake]
    total: int


class ListedSmallClass(Model):
    """Listed_SmallClass_."""

    items: list[SmallClass]
    total: int


class ListedSuspect(Model):
    """Listed_Suspect_."""

    items: list[Suspect]
    total: int


class ListedTogether(Model):
    """Listed_Together_."""

    items: list[Together]
    total: int


class ListedWanted(Model):
    """Listed_Wanted_."""

    items: list[Wanted]
    total: int


class ManyNeighbour(Model):
    """A support near the picture, with its labels."""

    complete: bool
    """Whether it has no other labels; otherwise nothing is known about those."""
    external_id: str | None = Field(default=None)
    labels: list[str]
    similarity: float
    support_id: int
    thumbnail: str


class Merge(Model):
    """The classes to merge into this one."""

    from_: list[str] = Field(alias="from")


Metric = Literal["cosine", "mse"] | str
"""The similarity of two vectors: cosine, or mean squared error (smaller is nearer)."""


class Mistake(Model):
    """A support that the others of its collection predicted as another class."""

    label: str
    named: str
    support_id: int


class ModelList(Model):
    """The encoders that this service offers."""

    data: list[Offered]
    object: Literal["list"] | str | None = Field(default=None)


class NamedVersion(Model):
    """A version with its name."""

    name: str
    version: int


class Neighbour(Model):
    """A support near the picture."""

    external_id: str | None = Field(default=None)
    label: str
    similarity: float
    support_id: int
    thumbnail: str


class NewClass(Model):
    """A class to create from its name."""

    kind: Literal["normal", "negative"] | str | None = Field(default=None)
    label: str


class NewCollection(Model):
    """A collection to create."""

    encoder: str | None = Field(default=None)
    """One of the encoders this service offers."""
    index: Index | None = Field(default=None)
    labels: Labels | None = Field(default=None)
    """How many labels a picture has: exactly one, or `many`."""
    name: str
    """A slug: 1 to 63 of a-z, 0-9, - and _."""
    prompts: str | list[str] | None = Field(default=None)
    """Prompts for labels, if the encoder has a text side: `best7`, `all80`, or your own with `{}` in place of the label. A class then answers by its name before it has a picture."""
    quality: QualityChange | None = Field(default=None)
    rule: Rule | None = Field(default=None)
    views: Views | None = Field(default=None)
    """Views of each picture: the picture, with its mirror image, or both also cropped. With `labels` `many` also `tiles`: of a classified picture, five crops are looked at as well."""


class NewErasure(Model):
    """What to erase from a collection: supports, all with an external id, or a class with its supports."""

    dry_run: bool | None = Field(default=None)
    """Only count what would be erased."""
    external_id: str | None = Field(default=None)
    label: str | None = Field(default=None)
    """A class; or a label, with all supports that bear it."""
    support_ids: list[int] | None = Field(default=None)


class NewErasureAnywhere(Model):
    """An external id to erase from every collection that the key may reach."""

    dry_run: bool | None = Field(default=None)
    """Only count what would be erased."""
    external_id: str


class NewGroups(Model):
    """Options of groups."""

    max_groups: int | None = Field(default=None)
    """Most groups."""


class NewKey(Model):
    """A key to create."""

    collections: list[str] | None = Field(default=None)
    """The collections that it is restricted to; they need not exist yet."""
    days: float | None = Field(default=None)
    """Days until it expires; never by default."""
    name: str
    scopes: list[Scope] | None = Field(default=None)
    """Default: `admin`, or with `collections` all scopes but `admin`."""


class NewName(Model):
    """A name for a version."""

    name: str
    """1 to 63 of a-z, 0-9, - and _, not only digits; unique in the collection."""


class NewReindex(Model):
    """The encoder to embed a collection's pictures with, in addition to the active one."""

    encoder: str


class NewReview(Model):
    """A verdict on an answer: `label` is the right label, or `accepted` says that the answer is right.

    Where pictures have several labels, `labels` are all of them, or `add` and `remove` change some.
    """

    accepted: Literal[True] | str | None = Field(default=None)
    """The answer is right as it stands."""
    add: list[str] | None = Field(default=None)
    """Labels that it has besides those so far."""
    enroll: bool | None = Field(default=None)
    """Also make the picture a support of the label; one of another class is moved. Where pictures have several labels, those that it then has are all of them. Undoing the review, or giving another label, puts it back."""
    label: str | None = Field(default=None)
    """The right label; null: none of the classes."""
    labels: list[str] | None = Field(default=None)
    """All right labels; an empty list: none of them."""
    remove: list[str] | None = Field(default=None)
    """Labels of those so far that it does not have."""


class NewReviews(Model):
    """A verdict on many answers: those of `items`, or all that match `where`."""

    accepted: Literal[True] | str | None = Field(default=None)
    """The answer is right as it stands."""
    add: list[str] | None = Field(default=None)
    """Labels that it has besides those so far."""
    enroll: bool | None = Field(default=None)
    """Also make the picture a support of the label; one of another class is moved. Where pictures have several labels, those that it then has are all of them. Undoing the review, or giving another label, puts it back."""
    items: list[int] | None = Field(default=None)
    label: str | None = Field(default=None)
    """The right label; null: none of the classes."""
    labels: list[str] | None = Field(default=None)
    """All right labels; an empty list: none of them."""
    remove: list[str] | None = Field(default=None)
    """Labels of those so far that it does not have."""
    where: Selection | None = Field(default=None)


class Novelty(Model):
    """How familiar the picture is, and the threshold below which it is unknown."""

    accepts_unfamiliar: float | None
    """Expected share of unfamiliar pictures, of classes not enrolled, that are accepted; null if it cannot be estimated."""
    score: float
    """Lower is less familiar."""
    threshold: float | None
    """A picture with a lower score is unknown; null if there are too few supports to set one."""


class Offered(Model):
    """An encoder, as OpenAI's clients list models."""

    created: int | None = Field(default=None)
    id: str
    object: Literal["model"] | str | None = Field(default=None)
    owned_by: Literal["exemplar"] | str | None = Field(default=None)


Order = Literal["item", "value", "confidence", "name"] | str
"""`item` as submitted; `value` what to review first; `confidence` the least first; `name` of the item."""


class Part(Model):
    """A part of a picture, in fractions of its width and height."""

    height: float
    width: float
    x: float
    """The left edge."""
    y: float
    """The upper edge."""


class PastImage(Model):
    """The picture of an item that a job has already read."""

    id: str
    """The job's id."""
    item: int
    """The item's number in its results."""


class Period(Model):
    """The answers of one period, with what reviews given in it say."""

    answers: int
    begin: datetime
    change: float | None
    """The distance of the mix of labels from the period before."""
    corrected_accuracy: Estimate | None
    """`estimated_accuracy` corrected by the reviews; null with fewer than 20."""
    decisions: dict[str, int]
    end: datetime
    estimated_accuracy: float | None
    """The mean calibrated probability of the labels given: the share of them that is right, as far as the calibration still holds."""
    label_distance: float | None
    """How far the mix of labels is from that of the examples: 0 the same, 1 nothing in common (Jensen-Shannon distance)."""
    labels: dict[str, int]
    """The labels given most often."""
    novel_share: float | None
    """The share of pictures below the threshold of `novelty`; of pictures like the examples it is about `false_reject`."""
    reviewed: int
    """Reviewed answers that gave a label."""
    reviewed_accuracy: float | None
    """The share of their labels that the reviews leave."""
    unknown_share: float | None
    """The share of answers without a known label."""


class Picture(Model):
    """A picture to embed."""

    image: Image


class Problem(Model):
    """A problem object (RFC 9457) with a stable code."""

    code: str
    detail: str
    request_id: str | None = Field(default=None)
    """The request's id, as in the log and `X-Request-Id`."""
    retry: bool
    status: int | None = Field(default=None)
    title: str
    type: str


class Progress(Model):
    """The progress of a job."""

    done: int
    eta_s: float | None
    failed: int
    rate_per_s: float | None
    total: int


class QualityChange(Model):
    """What pictures are checked for when they are enrolled; omitted fields stay unchanged."""

    conflict_deviations: float | None = Field(default=None)
    """`label_conflict`: standard deviations below the usual lead of a picture's own class, if another one is nearer."""
    max_light: float | None = Field(default=None)
    """`too_bright`: the light that 95 % of the pixels exceed, of 255; 255 is off."""
    min_light: float | None = Field(default=None)
    """`too_dark`: the light that 95 % of the pixels do not reach, of 255; 0 is off."""
    min_sharpness: float | None = Field(default=None)
    """`blurred`: the share of its edges that a picture loses by one more blur; 0 is off."""
    min_side: int | None = Field(default=None)
    """`too_small`: pixels of the shorter side; 0 is off."""
    near_share: float | None = Field(default=None)
    """`near_duplicate_of_other_class`: the distance to a support of another class, as a share of the median distance between nearest supports; 0 finds only equal pictures."""
    refuse: list[FindingCode] | None = Field(default=None)
    """Findings that refuse a picture; the others only warn. By default none refuses."""
    unlike_deviations: float | None = Field(default=None)
    """`unlike_its_class`: standard deviations below the usual similarity to the class."""


class Quality(Model):
    """What pictures are checked for when they are enrolled."""

    conflict_deviations: float
    max_light: float
    min_light: float
    min_sharpness: float
    min_side: int
    near_share: float
    refuse: list[FindingCode]
    unlike_deviations: float


QuarantineState = Literal["waiting", "accepted", "refused"] | str
"""The state of a contributed picture; the last two are final."""


class Redecide(Model):
    """Options of deciding again."""

    dry_run: bool | None = Field(default=None)
    """Only report what would change."""
    version: int | str | None = Field(default=None)
    """Answer as of this version of the collection, a number or a name, with its supports, classes and rule."""


class Reindex(Model):
    """A reindex and its progress."""

    collection: str
    embedded: int
    """Supports with vectors of both encoders."""
    encoder: str
    """The active encoder."""
    links: dict[str, str]
    missing: list[Unseen]
    """The first 100 supports without a secondary vector."""
    other: str
    """The encoder of the secondary vectors."""
    supports: int
    switched: bool
    """Whether the collection has switched; `back` returns."""
    version: int
    working: bool
    """Whether pictures still wait for the other encoder."""


class RenamedClass(Model):
    """A class with another name."""

    from_: str = Field(alias="from")
    to: str


class Restored(Model):
    """The version of a collection that was made what an earlier one was."""

    restored: int
    """The version that it is like."""
    version: int


class Result(Model):
    """The result of one item; its fields depend on the kind of the job and on `status`."""

    automatic: bool | None = Field(default=None)
    """Whether the label needs no person by the rule's `max_error`; null without one."""
    before: AnswerBefore | None = Field(default=None)
    """The answer that was decided again."""
    candidate_set: CandidateSet | None = Field(default=None)
    """Null if there are too few supports to compute one."""
    candidates: list[Candidate] | None = Field(default=None)
    complete: bool | None = Field(default=None)
    """Of an enrolled picture with `labels`: whether its support has no others."""
    confidence: float | None = Field(default=None)
    """The probability of the best class."""
    custom_id: str | None
    decision: DecisionName | None = Field(default=None)
    duplicate_label: str | None = Field(default=None)
    """The class of `duplicate_of`."""
    duplicate_of: int | None = Field(default=None)
    """The support that already had this picture, `support_id` itself or one of another class."""
    effect: Effect | None = Field(default=None)
    encoder: str | None = Field(default=None)
    error: Problem | None = Field(default=None)
    explanation: Explanation | None = Field(default=None)
    final_label: str | None = Field(default=None)
    """`label`, or the label that a person gave; null if it is none of the classes."""
    final_labels: list[str] | None = Field(default=None)
    """Where pictures have several labels: those that are `yes`, or that a person gave."""
    findings: list[Finding] | None = Field(default=None)
    """Of a picture that is, or would be, enrolled: what is wrong with it."""
    index_version: int | None = Field(default=None)
    item: int
    items: list[int] | None = Field(default=None)
    """Of a group: its items, most central first."""
    label: str | None = Field(default=None)
    """The predicted class; the best guess if ambiguous, null if unknown."""
    label_report: LabelReport | None = Field(default=None)
    labels: list[LabelAnswer] | list[str] | None = Field(default=None)
    """If a picture may have several labels: those that are `yes` or `unsure`, most probable first; of an enrolled picture those of its support, sorted."""
    neighbours: list[Neighbour] | list[ManyNeighbour] | None = Field(default=None)
    novelty: Novelty | None = Field(default=None)
    outcome: str | None = Field(default=None)
    """Of a job that decides again: `changed`, `unchanged`, or why the answer was left alone: `reviewed` or `without_vector`."""
    quarantine_id: int | None = Field(default=None)
    """Of a picture enrolled with the scope `contribute`: it waits to be accepted."""
    report: CollectionReport | None = Field(default=None)
    representative: int | None = Field(default=None)
    """Of a group: its most central item."""
    review: Review | None = Field(default=None)
    reviewed: bool | None = Field(default=None)
    """Whether a person has reviewed the answer."""
    rule: RuleName | None = Field(default=None)
    """The rule that decided, never `auto`."""
    size: int | None = Field(default=None)
    smoothed: bool | None = Field(default=None)
    """For jobs with `smooth`: whether this result has been smoothed yet."""
    status: Literal["done", "failed"] | str
    suggested: list[int] | None = Field(default=None)
    """Of a group: items to enrol, the most central one and the most different ones."""
    support_id: int | None = Field(default=None)
    tightness: float | None = Field(default=None)
    """Of a group: the mean cosine similarity of its items to their centre."""
    timing_ms: dict[str, float] | None = Field(default=None)


class ResultPage(Model):
    """A page of results in the order of the items; while the job runs, up to the first gap."""

    items: list[Result]
    next_cursor: str | None


class Review(Model):
    """A person's verdict on an answer: the right label, null for none of the classes, or all `labels`."""

    accepted: bool
    """Whether the answer was accepted as it stood."""
    at: datetime
    by: str
    """The name of the key, `local` where no key was needed."""
    enroll: bool | None = Field(default=None)
    """Whether it makes the picture a support of its label."""
    enroll_job: str | None = Field(default=None)
    """The job that does, if the picture was none before."""
    label: str | None = Field(default=None)
    labels: list[str] | None = Field(default=None)
    """All labels, where pictures have several."""
    support_id: int | None = Field(default=None)
    """That support; null until the job is done."""


class Reviewed(Model):
    """How many answers were reviewed, or how many reviews were removed."""

    reviewed: int


class ReviewedAutomatic(Model):
    """What people said of answers that needed no person."""

    answers: int
    share: float | None
    upper_bound: float | None
    """The share is below it, 90 % sure, if the reviewed ones are a random sample."""
    wrong: int


class ReviewedItems(Model):
    """How many answers were reviewed, and what makes their pictures supports."""

    enroll_job: str | None = Field(default=None)
    """The job that enrols their pictures, if one is needed."""
    reviewed: int


class RuleChange(Model):
    """Changes of a rule; omitted fields stay unchanged."""

    aim: Aim | None = Field(default=None)
    certainty: float | None = Field(default=None)
    coverage: float | None = Field(default=None)
    error_of: ErrorOf | None = Field(default=None)
    false_reject: float | None = Field(default=None)
    max_error: float | None = Field(default=None)
    metric: Metric | None = Field(default=None)
    name: RuleName | None = Field(default=None)
    precision: float | None = Field(default=None)


class Rule(Model):
    """The decision rule and its targets."""

    aim: Aim | None = Field(default=None)
    certainty: float | None = Field(default=None)
    """A best class less probable than this is `ambiguous`."""
    coverage: float | None = Field(default=None)
    """Target share of `candidate_set`s that contain the true class."""
    error_of: ErrorOf | None = Field(default=None)
    """What `max_error` is a share of: the `automatic` labels, with a probability of 90 %; or `all` pictures, on average, which takes fewer examples."""
    false_reject: float | None = Field(default=None)
    """Target share of pictures of known classes that are called unknown; 0 rejects none."""
    max_error: float | None = Field(default=None)
    metric: Metric | None = Field(default=None)
    name: RuleName | None = Field(default=None)
    """`auto` is `kernel` up to 2,000 supports, and `ridge` above."""
    precision: float | None = Field(default=None)


RuleName = Literal["auto", "kernel", "ridge", "prototype", "neighbours", "nearest"] | str
"""The decision rules; `auto` is `kernel` up to 2,000 supports, and `ridge` above."""


Scope = Literal["classify", "enroll", "contribute", "admin"] | str
"""What a key allows: `admin` everything, `enroll` also to `contribute`: to enrol into quarantine."""


class SearchItem(Model):
    """A picture or a text to search with."""

    custom_id: str | None = Field(default=None)
    image: Image | None = Field(default=None)
    text: str | None = Field(default=None)


class SearchItems(Model):
    """Pictures and texts to search with, or one text."""

    items: list[SearchItem] | None = Field(default=None)
    text: str | None = Field(default=None)


class Selection(Model):
    """A selection of answers by what they say and whether a person has reviewed them."""

    automatic: bool | None = Field(default=None)
    """Only answers that need no person, or that do; none without an error budget."""
    decision: DecisionName | None = Field(default=None)
    """Only answers with this decision."""
    label: str | None = Field(default=None)
    """Only answers whose `final_label` is this one."""
    max_confidence: float | None = Field(default=None)
    """Only answers at most as confident."""
    min_confidence: float | None = Field(default=None)
    """Only answers at least as confident."""
    path: str | None = Field(default=None)
    """Only items whose `custom_id` (a file's path) contains this text."""
    reviewed: bool | None = Field(default=None)
    """Only answers that are reviewed, or that are not."""


class SmallClass(Model):
    """A class too small to judge."""

    judgement: Judgement
    label: str
    supports: int


Step = Literal["hour", "day"] | str
"""The length of a period."""


class SupportChange(Model):
    """The class to move a support to, or the several labels that it gets or loses; or its id and metadata."""

    add: list[str] | None = Field(default=None)
    complete: bool | None = Field(default=None)
    external_id: str | None = Field(default=None)
    """Another id of yours; null removes it."""
    label: str | None = Field(default=None)
    labels: list[str] | None = Field(default=None)
    """Labels instead of those that it has."""
    metadata: dict[str, Any] | None = Field(default=None)
    """Metadata to add to what it has, name by name; a name with null is removed. At most 4096 bytes as JSON in all."""
    remove: list[str] | None = Field(default=None)
    """Labels to take away, with those below them."""


class SupportDifference(Model):
    """A support with other labels; null where it was not there."""

    from_: list[str] | None = Field(alias="from")
    id: int
    to: list[str] | None


class Support(Model):
    """One labelled picture, with `label`, or with `labels` and `complete` if a picture may have several."""

    complete: bool | None = Field(default=None)
    """Whether it has no other labels."""
    created_at: datetime
    external_id: str | None
    id: int
    label: str | None = Field(default=None)
    labels: list[str] | None = Field(default=None)
    """Sorted, with what they imply."""
    metadata: dict[str, Any]
    picture_sha256: str
    thumbnail: str


class SupportPage(Model):
    """A page of supports."""

    items: list[Support]
    next_cursor: str | None


class Suspect(Model):
    """A support with a possibly wrong label: it is nearer to another class than to the rest of its own."""

    label: str
    looks_like: str
    margin: float
    """Cosine to its class without itself, minus that to the nearest other."""
    support_id: int


class SwitchOptions(Model):
    """Options of a switch."""

    leave_out: bool | None = Field(default=None)
    """Whether to exclude supports without a vector of the other encoder."""


class Together(Model):
    """Two labels that supports bear together; a label and its parent are left out."""

    labels: tuple[str, str]
    shares: tuple[float, float]
    """Of the supports of the first, and of the second."""
    supports: int


class Unreview(Model):
    """The items whose reviews are removed, or a selection of them."""

    items: list[int] | None = Field(default=None)
    where: Selection | None = Field(default=None)


class Unseen(Model):
    """A support without a vector of the other encoder."""

    external_id: str | None
    label: str
    """Its label, or its labels separated by `;`."""
    picture: str
    """The digest of its picture, which may not be stored here."""
    support_id: int


class Usage(Model):
    """Usage: inputs are counted, not tokens."""

    prompt_tokens: int
    total_tokens: int


class VersionDiff(Model):
    """What differs between two versions of a collection."""

    added: list[str]
    """Classes that the later one has."""
    answers: JobSummary | None
    """With `job`: which of its answers flip, as the summary of the job that decided them at both versions; that job's results are the answers themselves."""
    classes: list[ClassDifference]
    """The supports that differ, counted by label."""
    from_: int = Field(alias="from")
    kinds: list[ClassKindChange]
    next_cursor: str | None
    removed: list[str]
    renamed: list[RenamedClass]
    rule: dict[str, list[Any]]
    """Fields of the rule, each with both values."""
    supports: list[SupportDifference]
    """A page of them, by id."""
    to: int
    total: int
    """How many supports differ."""


class Version(Model):
    """A version of a job's answers: the first, or one that deciding again made."""

    decided_at: datetime | None
    """Null for the first one until the job has ended."""
    index_version: int
    """The collection's version when these answers were requested."""
    version: int


Views = Literal["1", "flip", "full", "tiles"] | str
"""The views of a picture: itself, with its mirror image, or both also cropped.

`tiles` is itself, and overlapping crops of it when it is classified: the best one decides each label."""


class Wanted(Model):
    """A class that needs more pictures, and why."""

    label: str
    more: int
    reason: str


for _model in Model.__subclasses__():  # some are named before they are made
    _model.model_rebuild()
