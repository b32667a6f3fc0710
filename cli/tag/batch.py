"""A batch: the pictures of one job of `exemplar tag`."""

from __future__ import annotations

from dataclasses import dataclass

from cli.tag.journal_rows import Numbered
from cli.tag.listing import Kind


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures of one job, and how far its results are written; `job` is None until it was accepted."""

    id: int
    key: str
    pictures: tuple[Numbered, ...]
    job: str | None = None
    cursor: str | None = None
    next_item: int = 0

    @property
    def is_archive(self) -> bool:
        """Whether it is one archive, sent unchanged."""
        return self.pictures[0][1].kind is Kind.ARCHIVE
