"""The tables of the journal of `exemplar tag`, and how a picture stands in them."""

from __future__ import annotations

import json
import os
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cli.tag.listing import Kind, Listed
from core.errors import ExemplarError, error_of, problem_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS run (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS picture (
    id INTEGER PRIMARY KEY, place BLOB NOT NULL, shown TEXT NOT NULL, kind TEXT NOT NULL,
    custom_id TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, problem TEXT, batch INTEGER,
    UNIQUE (place, custom_id, kind)
);
CREATE INDEX IF NOT EXISTS by_batch ON picture (batch);
CREATE TABLE IF NOT EXISTS batch (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, job TEXT, cursor TEXT,
    next_item INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS by_done ON batch (done);
CREATE TABLE IF NOT EXISTS placed (
    name BLOB PRIMARY KEY, target BLOB NOT NULL, picture INTEGER NOT NULL, folder TEXT NOT NULL,
    UNIQUE (picture, folder)
);
CREATE TEMPORARY TABLE written (path TEXT, custom_id TEXT, UNIQUE (path, custom_id));
CREATE TEMPORARY TABLE now (
    place BLOB, custom_id TEXT, kind TEXT, size INTEGER, mtime_ns INTEGER, UNIQUE (place, custom_id, kind)
);
"""
_CANNOT_WRITE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
COLUMNS = "id, place, shown, kind, custom_id, size, mtime_ns, problem"
Numbered = tuple[int, Listed]
"""A picture and its number in the run."""
Placed = tuple[int, str]
"""The number of a picture, and a folder that it is sorted into."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since the run was started; `changed` counts pictures that had been sent before."""

    twice: int
    new: int
    gone: int
    changed: int


def packed(picture: Listed) -> tuple[bytes, str, str, str, int, int, str | None]:
    """Return a picture as it stands in the journal."""
    problem = None if picture.problem is None else json.dumps(problem_of(picture.problem))
    return (
        os.fsencode(picture.place),  # file names need not be text
        picture.shown,
        picture.kind.value,
        picture.custom_id,
        picture.size,
        picture.mtime_ns,
        problem,
    )


def unpacked(row: Sequence[Any]) -> Numbered:
    """Return a picture of the journal."""
    number, place, shown, kind, custom_id, size, mtime_ns, problem = row
    error = None if problem is None else error_of(json.loads(problem))
    return number, Listed(os.fsdecode(place), shown, Kind(kind), custom_id, size, mtime_ns, error)


def folded(name: str) -> bytes:
    """Return what two names have in common that some file system takes for one."""
    # some file systems hold names for the same that differ in case, or in how accents are written
    return os.fsencode(unicodedata.normalize("NFC", name).casefold())


def journal_error(path: str, error: sqlite3.OperationalError) -> ExemplarError:
    """Return the error of a journal that SQLite cannot open or write."""
    if "locked" in str(error):
        return ExemplarError("tag_running", f"{path}: another exemplar tag uses this output")
    if error.sqlite_errorcode in _CANNOT_WRITE:
        folder = os.path.dirname(path) or "."
        return ExemplarError("out_invalid", f"--out: the folder {folder} cannot be written; choose another")
    return ExemplarError("journal_invalid", f"{path}: {error}")
