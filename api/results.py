"""Results as JSON, NDJSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from api.models import ResultModel, thumbnail_path
from api.services import services
from core.results import Result
from core.types import Job

COLUMNS = (
    "item",
    "custom_id",
    "status",
    "decision",
    "label",
    "confidence",
    "support_id",
    "duplicate_of",
    "index_version",
    "encoder",
    "error_code",
    "error_detail",
)
PAGE = 500


def shown(job: Job, result: Result) -> ResultModel:
    """Return a result as callers see it, its neighbours with the paths of their thumbnails."""
    return ResultModel.model_validate(_with_thumbnails(job, result))


def as_ndjson(job: Job) -> Iterator[str]:
    """Yield every settled result as a line of JSON."""
    for result in _settled(job):
        yield json.dumps(_with_thumbnails(job, result)) + "\n"


def as_csv(job: Job) -> Iterator[str]:
    """Yield every settled result as a line of CSV, the names of the columns first."""
    yield _line(COLUMNS)
    for result in _settled(job):
        error = result.get("error") or {}
        row = {**result, "error_code": error.get("code"), "error_detail": error.get("detail")}
        yield _line([_cell(row.get(column)) for column in COLUMNS])


def _settled(job: Job) -> Iterator[Result]:
    after: int | None = 0
    while after is not None:
        page = services().store.jobs.results(job.id, after=after, limit=PAGE)
        yield from page.results
        after = None if page.next_item == after else page.next_item  # no further: it is still worked on


def _with_thumbnails(job: Job, result: Result) -> dict[str, Any]:
    neighbours = result.get("neighbours")
    if neighbours is None:
        return dict(result)
    return {
        **result,
        "neighbours": [
            {**neighbour, "thumbnail": thumbnail_path(job.collection, neighbour["support_id"])}
            for neighbour in neighbours
        ],
    }


def _cell(value: Any) -> Any:
    # a spreadsheet runs text that begins so as a formula
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return "" if value is None else value


def _line(cells: Any) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
