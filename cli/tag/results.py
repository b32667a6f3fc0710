"""Match the results of a batch to the pictures that were sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cli.client import Json
from cli.tag.actions import Tagged
from cli.tag.batch import Batch
from cli.tag.listing import Kind
from cli.tag.rows import failed_row, row_of
from core.errors import ExemplarError
from core.jobs import JobState


def joined(batch: Batch, results: Sequence[Json]) -> tuple[list[Tagged], int]:
    """Return the rows of results that are not written yet, and the next item."""
    tagged: list[Tagged] = []
    next_item = batch.next_item
    for result in results:
        if result["item"] < next_item:
            continue
        tagged += _missing(batch, next_item, result["item"])
        tagged.append(_tagged(batch, result))
        next_item = result["item"] + 1
    return tagged, next_item


def _tagged(batch: Batch, result: Json) -> Tagged:
    if batch.is_archive:
        number, archive = batch.pictures[0]
        inside = result["custom_id"]
        member = archive if inside is None else replace(archive, shown=f"{archive.shown}/{inside}")
        return (number, member), row_of(member, result)
    if result["item"] >= len(batch.pictures):  # the service's result for the upload itself
        picture = replace(batch.pictures[-1][1], shown="")
        return (batch.pictures[-1][0], picture), row_of(picture, result)
    number, picture = batch.pictures[result["item"]]
    code = (result.get("error") or {}).get("code")
    if code == "member_missing" and picture.kind is Kind.LOCAL:
        gone = ExemplarError("picture_unreadable", "the file could not be read when it was to be sent")
        return (number, picture), failed_row(picture, gone)
    return (number, picture), row_of(picture, result)


def left(batch: Batch, next_item: int, job: Json) -> list[Tagged]:
    """Return rows for items without a result after the job has ended."""
    if not batch.is_archive:
        return _missing(batch, next_item, len(batch.pictures))
    if job["state"] != JobState.CANCELLED:
        return []
    return [(batch.pictures[0], failed_row(batch.pictures[0][1], _cancelled()))]


def _missing(batch: Batch, first: int, end: int) -> list[Tagged]:
    if batch.is_archive:  # its names are not known here; one row at the end reports it
        return []
    return [(one, failed_row(one[1], _cancelled())) for one in batch.pictures[first:end]]


def _cancelled() -> ExemplarError:
    return ExemplarError("job_cancelled", "the job was cancelled at the service before this was done")
