"""Contributions: pictures in quarantine as values, and selections of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_

from core.jobs import QuarantineState
from core.label_sets import LabelSet
from core.labels import pack_labels, unpack_labels
from store import tables as t
from store.unpacking import unpack


@dataclass(frozen=True, slots=True)
class Contribution:
    """A contributed picture."""

    id: int
    state: QuarantineState
    labels: LabelSet
    picture: str
    thumbnail: str
    external_id: str | None
    metadata: Mapping[str, Any]
    findings: Sequence[Any] | None
    key_id: str
    key_name: str
    request_id: str | None
    created_at: float
    decided_at: float | None
    decided_by: str | None
    support_id: int | None
    encoder: str


@dataclass(frozen=True, slots=True)
class Which:
    """A selection of contributions: these, or those of a key or with a label, or all."""

    ids: tuple[int, ...] | None = None
    key: str | None = None
    label: str | None = None
    state: QuarantineState | None = QuarantineState.WAITING

    def condition(self, collection_id: int) -> ColumnElement[bool]:
        """Return it as a condition on rows."""
        row = t.quarantine.c
        found = [row.collection_id == collection_id]
        if self.state is not None:
            found.append(row.state == self.state)
        if self.ids is not None:
            found.append(row.id.in_(self.ids))
        if self.key is not None:
            found.append(row.key_id == self.key)
        if self.label is not None:
            found.append(row.label.in_([self.label, pack_labels([self.label])]))
        return and_(*found)


def unpack_contribution(row: Row[Any]) -> Contribution:
    """Return the contribution in a row of its table."""
    return unpack(Contribution, row, labels=LabelSet(unpack_labels(row.label), row.complete))
