"""Changes of a collection between two versions: the feed that replicas follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.collections import ClassKind, Rule
from core.vectors import Vector


@dataclass(frozen=True, slots=True)
class SupportChange:
    """The current state of a support; a deleted one has neither class nor vector."""

    id: int
    class_id: int | None
    vector: Vector | None


@dataclass(frozen=True, slots=True)
class ClassChange:
    """The current state of a class; only a `set` has members."""

    id: int
    label: str
    kind: ClassKind
    deleted: bool = False
    members: tuple[int, ...] = ()
    """The ids of the labels in a set, ascending."""
    complete: bool = False
    """Whether all labels that are not members are absent; otherwise nothing is said about them."""


@dataclass(frozen=True, slots=True)
class Past:
    """What a collection was at an earlier version, without vectors."""

    version: int
    epoch: float
    """As in `Changes`; vectors of another one do not belong to it."""
    rule: Rule
    classes: Sequence[ClassChange]
    supports: Mapping[int, int]
    """The class of each support that took part in answers, by id, ascending."""


@dataclass(frozen=True, slots=True)
class Changes:
    """All changes after a version, up to and including `version`.

    `epoch` distinguishes vectors of different records or encoders, which must not be mixed. It is
    the time when the collection started to answer with `encoder`.
    `more` means that the record has further changes, to be requested from `version` on.
    """

    version: int
    classes: Sequence[ClassChange]
    supports: Sequence[SupportChange]
    epoch: float = 0.0
    encoder: str | None = None
    more: bool = False
