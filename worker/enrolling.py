"""Enrolling: embedded pictures to the supports written when their chunk is settled."""

from __future__ import annotations

from core.errors import ExemplarError
from core.results import Result, failed_result
from store.record.enrolment import Enrolment
from store.work.settlement import Settlement
from worker.embedding import Embedded, EmbeddedChunk


def enrolments(chunk: EmbeddedChunk) -> Settlement:
    """Return the enrolments of a chunk, with errors in the place of pictures that cannot be enrolled."""
    claimed, pictures = chunk
    return Settlement(claimed, [_outcome(picture) for picture in pictures])


def _outcome(picture: Embedded) -> Result | Enrolment:
    item = picture.loaded.item
    if isinstance(picture.made, ExemplarError):
        return failed_result(item, picture.made)
    return Enrolment(item, picture.made, picture.loaded.thumbnail)
