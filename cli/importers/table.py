"""CSV: one line per picture with its label, its path or URL, and other columns as metadata."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

from cli.importers.labelled import Found, LabelledPicture, Unusable
from cli.importers.places import Places
from core.errors import ExemplarError
from core.label_sets import FLAGS, split_labels

OURS = ("label", "labels", "complete", "external_id")
PLACES = ("path", "url", "file", "image", "picture")


def read_table(path: Path, places: Places) -> Found:
    """Yield the lines of a CSV with a header: `label`, `path` or `url`, and optionally `external_id`.

    Instead of `label` it may have `labels`, separated by `;`, and `complete`.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        names = rows.fieldnames or []
        where = [name for name in PLACES if name in names]
        column = next((name for name in ("labels", "label") if name in names), None)
        if column is None or not where:
            raise ExemplarError(
                "manifest_invalid",
                f"expected the columns label or labels, and path (or url), got {', '.join(names)}",
            )
        for row in rows:
            at = f"line {rows.line_num}"
            found = next((row[name] for name in where if row[name]), None)
            cell = row[column] or ""
            labels = split_labels(cell) if column == "labels" else [*filter(None, [cell.strip()])]
            complete = FLAGS.get((row.get("complete") or "").strip().lower(), False)
            if found is None or not (labels or complete):
                yield Unusable(at, ExemplarError("manifest_invalid", "expected a label and a path or URL"))
                continue
            rest = {
                str(name): value for name, value in row.items() if value and name not in (*OURS, *where, None)
            }
            external_id = row.get("external_id") or None
            yield LabelledPicture(
                found, tuple(labels), partial(places.read, found), external_id, rest, complete
            )
