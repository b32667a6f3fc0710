"""CSV: one line per picture with its label, its path or URL, and other columns as metadata."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

from cli.importers.labelled import Found, LabelledPicture, Unusable
from cli.importers.places import Places
from core.errors import ExemplarError

PLACES = ("path", "url", "file", "image", "picture")


def read_table(path: Path, places: Places) -> Found:
    """Yield the lines of a CSV with a header: `label`, `path` or `url`, and optionally `external_id`."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        names = rows.fieldnames or []
        where = [name for name in PLACES if name in names]
        if "label" not in names or not where:
            raise ExemplarError(
                "manifest_invalid", f"expected the columns label and path (or url), got {', '.join(names)}"
            )
        for row in rows:
            at = f"line {rows.line_num}"
            found = next((row[name] for name in where if row[name]), None)
            if not row["label"] or found is None:
                yield Unusable(at, ExemplarError("manifest_invalid", "expected a label and a path or URL"))
                continue
            rest = {
                str(name): value
                for name, value in row.items()
                if value and name not in ("label", "external_id", *where, None)
            }
            external_id = row.get("external_id") or None
            yield LabelledPicture(found, row["label"], partial(places.read, found), external_id, rest)
