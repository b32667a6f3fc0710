"""Collections and their options: classes, changes, decision rules, views and indexes, as frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.quality import USUAL, Quality


class ClassKind(StrEnum):
    """The kind of a class; pictures of `negative` classes are unknown.

    A `set` is a set of labels that supports of a collection of several labels a picture bear.
    """

    NORMAL = "normal"
    NEGATIVE = "negative"
    SET = "set"


class ChangeKind(StrEnum):
    """What made a new version of a collection."""

    ENROLLED = "enrolled"
    IMPORTED = "imported"
    REVIEWED = "reviewed"
    MOVED = "moved"
    LABELS_CHANGED = "labels_changed"
    DESCRIBED = "described"
    DELETED = "deleted"
    CLASS_ADDED = "class_added"
    CLASS_CHANGED = "class_changed"
    CLASS_RENAMED = "class_renamed"
    CLASS_MERGED = "class_merged"
    CLASS_DELETED = "class_deleted"
    RULE_CHANGED = "rule_changed"
    REINDEXED = "reindexed"
    ENCODER_CHANGED = "encoder_changed"
    RESTORED = "restored"
    REPAIRED = "repaired"
    ERASED = "erased"


class Labels(StrEnum):
    """The number of labels that a picture of a collection has: exactly one, or any number."""

    ONE = "one"
    MANY = "many"


class Aim(StrEnum):
    """What the threshold of each label is set for: a target precision, or the best F1 score."""

    PRECISION = "precision"
    F1 = "f1"


class RuleName(StrEnum):
    """The decision rules; `auto` is `kernel` up to 2,000 supports, and `ridge` above."""

    AUTO = "auto"
    KERNEL = "kernel"
    RIDGE = "ridge"
    PROTOTYPE = "prototype"
    NEIGHBOURS = "neighbours"
    NEAREST = "nearest"


class Metric(StrEnum):
    """The similarity of two vectors: cosine, or mean squared error (smaller is nearer)."""

    COSINE = "cosine"
    MSE = "mse"


class DecisionName(StrEnum):
    """The decision of an answer."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    NONE = "none"
    """Like the supports, but with none of the labels; only where a picture has several."""


class LabelDecision(StrEnum):
    """The decision about one of several labels of a picture."""

    YES = "yes"
    UNSURE = "unsure"


class ErrorOf(StrEnum):
    """What `max_error` is a share of: the labels that need no person, surely; or all pictures, on average."""

    AUTOMATIC = "automatic"
    ALL = "all"


class Views(StrEnum):
    """The views of a picture: itself, with its mirror image, or both also cropped.

    `tiles` is itself, and overlapping crops of it when it is classified: the best one decides each label.
    """

    ONE = "1"
    FLIP = "flip"
    FULL = "full"
    TILES = "tiles"


@dataclass(frozen=True, slots=True)
class Rule:
    """The decision rule of a collection, and its targets."""

    name: RuleName = RuleName.AUTO
    metric: Metric = Metric.COSINE
    false_reject: float = 0.05
    """Target share of pictures of known classes that are called unknown; 0 calls none unknown."""
    certainty: float = 0.5
    """A best class less probable than this is `ambiguous`."""
    coverage: float = 0.9
    """Target share of candidate sets that contain the true class."""
    aim: Aim = Aim.F1
    """What the threshold of each label is set for, where a picture has several labels."""
    precision: float = 0.9
    """Target share of right labels among those given, with the aim `precision`."""
    max_error: float | None = None
    """Most wrong labels among those that need no person; None says of no label whether it needs one."""
    error_of: ErrorOf = ErrorOf.AUTOMATIC
    """What `max_error` is a share of."""


class IndexName(StrEnum):
    """The index types: exact search, FAISS's approximate indexes, or Milvus."""

    FLAT = "flat"
    IVF = "ivf"
    RABITQ = "rabitq"
    MILVUS = "milvus"


@dataclass(frozen=True, slots=True)
class Index:
    """The index of a collection; None chooses by the number of supports."""

    name: IndexName = IndexName.FLAT
    probes: int | None = None
    """Lists that a search probes (`ivf`, `rabitq`)."""
    refine: int | None = None
    """Candidates compared exactly per neighbour (`ivf`, `rabitq`)."""


@dataclass(frozen=True, slots=True)
class IndexMeasure:
    """The recall@10 of an approximate index, measured with a collection's own supports."""

    name: IndexName
    recall_at_10: float
    asked: int
    supports: int
    version: int
    measured_at: float


Prompts = str | Sequence[str]
"""`best7`, `all80`, or templates with `{}` in place of the label."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A set of classes that share one encoder, one decision rule, and the views and prompts.

    `views` and `prompts` are fixed. Without prompts a label says nothing about pictures.
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
    """The latest measurement; None while search is exact."""
    labels: Labels = Labels.ONE
    quality: Quality = USUAL
    classes: int = 0
    supports: int = 0
