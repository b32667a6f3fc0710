"""Texts: the vectors of labels, stored because a label takes as long as a picture or longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from core.vectors import Vector, pack_vector, unpack_vector
from store import tables as t
from store.database import Database, slices


class Texts:
    """The vectors of labels in the record, by encoder and by the digest of their prompts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, encoder: str, prompts: str, labels: Sequence[str]) -> dict[str, Vector]:
        """Return the stored vectors by label, without labels that were not embedded yet."""
        text = t.text_vector.c
        found: dict[str, Vector] = {}
        with self._database.read() as connection:
            for some in slices(labels):
                rows = connection.execute(
                    select(text.label, text.vector).where(
                        text.encoder == encoder, text.prompts == prompts, text.label.in_(some)
                    )
                )
                found.update({row.label: unpack_vector(row.vector) for row in rows})
        return found

    def put(self, encoder: str, prompts: str, vectors: Mapping[str, Vector]) -> None:
        """Store vectors by label; existing ones stay, so that several workers may do the same."""
        rows = [
            {"encoder": encoder, "prompts": prompts, "label": label, "vector": pack_vector(vectors[label])}
            for label in sorted(vectors)  # one lock order prevents deadlock
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(self._insert_if_absent(), rows)

    def _insert_if_absent(self) -> Any:
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        return insert(t.text_vector).on_conflict_do_nothing()
