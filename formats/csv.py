"""Results as lines of CSV that are safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from core.label_sets import SEPARATOR
from core.results import Result, has_several, labels_of

COLUMNS = (
    "item",
    "custom_id",
    "status",
    "decision",
    "label",
    "final_label",
    "labels",
    "final_labels",
    "reviewed",
    "confidence",
    "support_id",
    "duplicate_of",
    "duplicate_label",
    "index_version",
    "encoder",
    "error_code",
    "error_detail",
    "rule",
    "margin",
    "candidate_set",
    "novelty",
    "novelty_threshold",
    "smoothed",
    "automatic",
    "findings",
)


_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs text that begins so."""


def cells_of(result: Result) -> list[Any]:
    """Return the cells of a result, in the order of `COLUMNS`."""
    error = result.get("error") or {}
    novelty = result.get("novelty") or {}
    row = {
        **result,
        "labels": SEPARATOR.join(labels_of(result)) if has_several(result) else None,
        "final_labels": SEPARATOR.join(result["final_labels"]) if "final_labels" in result else None,
        "error_code": error.get("code"),
        "error_detail": error.get("detail"),
        "margin": (result.get("explanation") or {}).get("margin"),
        "candidate_set": " | ".join((result.get("candidate_set") or {}).get("labels", ())) or None,
        "findings": " | ".join(one["code"] for one in result.get("findings") or ()) or None,
        "novelty": novelty.get("score"),
        "novelty_threshold": novelty.get("threshold"),
    }
    return [row.get(column) for column in COLUMNS]


def csv_line(cells: Sequence[Any]) -> str:
    """Return a line of CSV in which no text is a formula."""
    out = io.StringIO()
    csv.writer(out).writerow([_safe(cell) for cell in cells])
    return out.getvalue()


def unguarded(text: str) -> str:
    """Return the text of a cell without the apostrophe that `csv_line` puts before a formula."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULAS) else text


def _safe(cell: Any) -> Any:
    if isinstance(cell, str) and cell.startswith(_FORMULAS):
        return "'" + cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else cell
