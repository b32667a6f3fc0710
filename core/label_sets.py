"""Label sets: the labels of one picture, where a picture may have several.

A `/` separates a label from its parents, which are implied: what is `animal/dog` is also `animal`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.collections import Labels
from core.errors import ExemplarError
from core.labels import clean_label

MAX_LABELS = 100  # that one request may give one picture
SEPARATOR = ";"  # between the labels of a picture in a cell of a table
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
"""What a cell may say of whether labels are complete, in lower case."""


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The labels of a picture, sorted; if `complete` it has no others, otherwise nothing is said of them."""

    labels: tuple[str, ...]
    complete: bool = False


def clean_label_set(texts: Sequence[object], complete: bool | None = None) -> LabelSet:
    """Return a label set without implied labels; one without labels is complete unless that is denied.

    Raises `labels_invalid` for too many labels, or for none that are not all; and as `clean_part` does.
    """
    if len(texts) > MAX_LABELS:
        raise ExemplarError("labels_invalid", f"expected at most {MAX_LABELS} labels, got {len(texts)}")
    if not texts and complete is False:
        raise ExemplarError(
            "labels_invalid",
            "expected one or more labels, got none; to say that the picture has none of the labels, leave "
            "out complete or make it true",
        )
    return LabelSet(tuple(sorted({clean_part(text) for text in texts})), complete is True or not texts)


def clean_part(text: object, *, exists: bool = False) -> str:
    """Return one label of several, its parts trimmed; raises as `clean_label` does, also for empty parts."""
    label = clean_label(text, exists=exists)
    parts = [part.strip() for part in label.split("/")]
    if not all(parts):
        raise ExemplarError("label_invalid", f"expected a name before and after each /, got {label!r}")
    return "/".join(parts)


def split_labels(cell: str) -> list[str]:
    """Return the labels in a cell of a table, trimmed."""
    return [label for part in cell.split(SEPARATOR) if (label := part.strip())]


def parents_of(label: str) -> list[str]:
    """Return the labels that a label implies, the topmost first."""
    parts = label.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def with_parents(labels: Iterable[str]) -> set[str]:
    """Return labels and all that they imply."""
    return {one for label in labels for one in (label, *parents_of(label))}


def is_within(label: str, other: str) -> bool:
    """Return whether a label is another one, or implies it."""
    return label == other or label.startswith(f"{other}/")


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A change of a label set: other labels instead of its own, or some that are added and removed."""

    labels: tuple[str, ...] | None = None
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    complete: bool | None = None
    """None leaves it as it is, unless `labels` are replaced by none: that makes it complete."""

    def apply(self, old: LabelSet) -> LabelSet:
        """Return the changed set with all that its labels imply; raises `labels_invalid` if it says nothing.

        A label is removed with those that imply it, before others are added.
        """
        both = sorted(set(self.add) & set(self.remove))
        if both:
            raise ExemplarError("labels_invalid", f"expected {both[0]!r} in add or in remove, got it in both")
        kept = old.labels if self.labels is None else self.labels
        left = (one for one in kept if not any(is_within(one, gone) for gone in self.remove))
        labels = with_parents((*left, *self.add))
        complete = self.labels == () or old.complete if self.complete is None else self.complete
        if not labels and not complete:
            raise ExemplarError(
                "labels_invalid",
                "expected one or more labels, got none; to say that the picture has none of the labels, make "
                "complete true, and to remove it delete the support",
            )
        return LabelSet(tuple(sorted(labels)), complete)


def check_one_label(labels: Sequence[object], complete: bool | None = None) -> object:
    """Return the only label of a picture that has exactly one; raises `labels_invalid`."""
    if len(labels) != 1:
        raise ExemplarError(
            "labels_invalid",
            f"expected exactly one label, got {len(labels)}; only a collection made with labels=many has "
            "several labels a picture",
        )
    if complete is False:
        raise ExemplarError(
            "labels_invalid", "complete: expected true, since a picture of this collection has one label"
        )
    return labels[0]


@dataclass(frozen=True, slots=True)
class Said:
    """What a caller says a picture shows: a `label`, or `labels` that may be all of them."""

    label: str | None = None
    labels: Sequence[object] | None = None
    complete: bool | None = None

    def clean(self, labels: Labels) -> str | LabelSet:
        """Return the label of a picture that has one, or the label set of one that may have several.

        Raises `labels_invalid`, and what a single label raises.
        """
        if self.label is not None and self.labels is not None:
            raise ExemplarError("labels_invalid", "expected label or labels, got both")
        if labels is Labels.ONE:
            given = [self.label] if self.labels is None else self.labels
            return clean_label(check_one_label(given, self.complete))
        if self.labels is None and self.label is None and self.complete:
            return clean_label_set((), complete=True)
        return clean_label_set((self.label,) if self.labels is None else self.labels, self.complete)


def unsupported(what: str, instead: str = "") -> ExemplarError:
    """Return the error for what collections with several labels a picture cannot do."""
    return ExemplarError(
        "labels_unsupported",
        f"{what}: expected a collection with one label a picture, this one was made with labels=many"
        + (f"; {instead}" if instead else ""),
    )
