"""What changed in a collection between two versions: the feed that replicas follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.types import ClassKind
from core.vectors import Vector


@dataclass(frozen=True, slots=True)
class SupportChange:
    """What a support is now; a removed one has neither class nor vector."""

    id: int
    class_id: int | None
    vector: Vector | None


@dataclass(frozen=True, slots=True)
class ClassChange:
    """What a class is now."""

    id: int
    label: str
    kind: ClassKind
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that changed after a version, up to and with `version`.

    `epoch` tells vectors apart that do not go together: those of another record, or of another encoder. It is
    when the collection began to answer by `encoder`.
    `more` says that the record is further already: what follows is asked for from `version` on.
    """

    version: int
    classes: Sequence[ClassChange]
    supports: Sequence[SupportChange]
    epoch: float = 0.0
    encoder: str | None = None
    more: bool = False
