"""The delimiter of a CSV file, read from its first line: no other line is needed, and nothing is guessed."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection

DELIMITERS = (",", ";", "\t")
_DECLARED = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)


def declared_delimiter(line: str) -> str | None:
    """Return the delimiter of Excel's line `sep=;`, or None for any other line."""
    found = _DECLARED.fullmatch(line)
    return found[1] if found is not None and found[1] in DELIMITERS else None


def delimiter_of(header: str, columns: Collection[str]) -> str:
    """Return the delimiter with which a first line names known columns only."""
    for delimiter in DELIMITERS:
        try:
            names = next(csv.reader([header], delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        if names and all(name.strip().lower() in columns for name in names):
            return delimiter
    return max(DELIMITERS, key=header.count)  # for the error
