"""Results as JSON, NDJSON, CSV and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.inputs import Selection
from api.models import ResultModel, thumbnail_path
from api.services import services
from core.jobs import Job
from core.results import Result, has_several
from formats.csv import COLUMNS, cells_of, csv_line


@dataclass(frozen=True, slots=True)
class Span:
    """The items from `first` up to `end` of a job, answered as in a version or in the newest."""

    first: int
    end: int
    version: int | None = None


def shown(job: Job, result: Result) -> ResultModel:
    """Return a result as callers get it, its supports with the paths of their thumbnails."""
    return ResultModel.model_validate(_with_thumbnails(job, result))


def fits(result: Result, wanted: Selection) -> bool:
    """Return whether a result is an answer of this selection; without one, every result is."""
    if wanted.path is not None and wanted.path.casefold() not in (result.get("custom_id") or "").casefold():
        return False
    if wanted.decision not in (None, result.get("decision")):
        return False
    if wanted.label is not None and wanted.label not in _final_labels(result):
        return False
    if wanted.reviewed is not None and wanted.reviewed is not result.get("reviewed"):
        return False
    if wanted.automatic is not None and wanted.automatic is not result.get("automatic"):
        return False
    if wanted.min_confidence is None and wanted.max_confidence is None:
        return True
    confidence = result.get("confidence")
    least, most = (
        wanted.min_confidence or 0.0,
        1.0 if wanted.max_confidence is None else wanted.max_confidence,
    )
    return confidence is not None and least <= confidence <= most


def _final_labels(result: Result) -> Sequence[str | None]:
    return result["final_labels"] if "final_labels" in result else [result.get("final_label")]


def as_ndjson(job: Job, span: Span) -> Iterator[str]:
    """Yield the results of a span of items as lines of JSON."""
    for result in _between(job, span):
        yield json.dumps(_with_thumbnails(job, result)) + "\n"


def as_csv(job: Job, span: Span) -> Iterator[str]:
    """Yield these results as lines of CSV, column names first."""
    yield csv_line(COLUMNS)
    for result in _between(job, span):
        yield csv_line(cells_of(result))


def as_parquet(job: Job, span: Span) -> Iterator[bytes]:
    """Yield these results as the bytes of a Parquet file."""
    from formats.parquet import parquet_parts  # noqa: PLC0415 - 0.7 s and 40 MB that few processes need

    yield from parquet_parts(_between(job, span))


def _between(job: Job, span: Span) -> Iterator[Result]:
    """Yield results page by page, however many there are."""
    for page in services().store.jobs.result_pages(
        job.id, first=span.first, end=span.end, version=span.version
    ):
        yield from page


def _with_thumbnails(job: Job, result: Result) -> dict[str, Any]:
    shown = dict(result)
    if "neighbours" in shown:
        shown["neighbours"] = _each_with_thumbnail(job, shown["neighbours"])
    if "explanation" in shown:
        shown["explanation"] = _explained(job, shown["explanation"])
    if has_several(shown):
        shown["labels"] = [
            {**label, "explanation": _explained(job, label["explanation"])}
            if "explanation" in label
            else label
            for label in shown["labels"]
        ]
    return shown


def _explained(job: Job, explanation: Mapping[str, Any]) -> dict[str, Any]:
    return {**explanation, "supports": _each_with_thumbnail(job, explanation["supports"])}


def _each_with_thumbnail(job: Job, supports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"external_id": None, **support, "thumbnail": thumbnail_path(job.collection, support["support_id"])}
        for support in supports
    ]
