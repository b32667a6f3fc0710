"""A copy of everything that a replica holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.changes import ClassChange
from core.vectors import Vectors
from index.ann_index import Trained
from index.supports import Ids


@dataclass(frozen=True, slots=True)
class Content:
    """A copy of everything that a replica holds at one version."""

    version: int
    epoch: float
    ids: Ids
    """(n,)"""
    class_ids: Ids
    """(n,)"""
    vectors: Vectors
    """(n, dim)"""
    classes: Sequence[ClassChange]
    trained: Trained | None = None
