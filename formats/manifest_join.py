"""The rows of a manifest by their paths, on disk: a tar comes in its own order, and only once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from core.errors import ExemplarError
from formats.manifests import Line, Row
from formats.names import match_key, plain_path


class ManifestJoin:
    """Rows that are taken by the paths of an archive's members, however both are spelled."""

    def __init__(self, rows: Iterator[Line]) -> None:
        self._table = sqlite3.connect("")  # a file of its own that goes with the connection
        self._table.execute(
            "CREATE TABLE row (number INTEGER PRIMARY KEY, path TEXT, key TEXT, json TEXT, code TEXT)"
        )
        self._table.executemany(
            "INSERT INTO row (path, key, json, code) VALUES (?, ?, ?, ?)", map(_packed, rows)
        )
        self._table.execute("CREATE INDEX by_key ON row (key, path)")

    def take(self, path: str) -> list[Row]:
        """Return the rows of a path, which are then no longer here: those that spell it so, or else all."""
        key = match_key(path)
        exact = "DELETE FROM row WHERE key = ? AND path = ? RETURNING number, json"
        taken = self._table.execute(exact, (key, path)).fetchall()
        if not taken:
            taken = self._table.execute(
                "DELETE FROM row WHERE key = ? RETURNING number, json", (key,)
            ).fetchall()
        return [Row.model_validate_json(text) for _, text in sorted(taken)]

    def rest(self) -> Iterator[Line]:
        """Yield the rows that were not taken, in their order."""
        for text, code in self._table.execute("SELECT json, code FROM row ORDER BY number"):
            yield ExemplarError(code, text) if code else Row.model_validate_json(text)

    def close(self) -> None:
        self._table.close()


def _packed(line: Line) -> tuple[str | None, str | None, str, str | None]:
    if isinstance(line, ExemplarError):
        return None, None, line.message, line.code
    text = line.model_dump_json()
    if line.path is None:
        return None, None, text, None
    return plain_path(line.path), match_key(line.path), text, None
