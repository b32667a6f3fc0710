"""The journal of an `exemplar tag` run: what is to be sent, was sent and was written, durable on disk."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from cli.tag.batch import Batch
from cli.tag.journal_rows import (
    COLUMNS,
    SCHEMA,
    Changes,
    Numbered,
    Placed,
    folded,
    journal_error,
    packed,
    unpacked,
)
from cli.tag.listing import Kind, Listed
from core.errors import ExemplarError, problem_of

UNSENT = 0  # the batch of pictures that were never sent


class Journal:
    """One SQLite file next to the output; `""` is one in memory.

    Raises `tag_running` if another process holds it, `out_invalid` if it cannot be written, and
    `journal_invalid` if the file is no journal.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._table = sqlite3.connect(path, timeout=0)
            self._table.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._table.execute("BEGIN EXCLUSIVE")
            self._table.commit()
            self._table.executescript(SCHEMA)
        except sqlite3.OperationalError as error:
            raise journal_error(path, error) from error
        except sqlite3.DatabaseError as error:
            raise ExemplarError(
                "journal_invalid", f"expected a journal of exemplar tag, got {path}"
            ) from error

    def copied(self) -> Journal:
        """Return a copy in memory."""
        copy = Journal("")
        self._table.backup(copy._table)
        return copy

    def close(self, *, forget: bool = False) -> None:
        """Close it, and with `forget` delete the file."""
        self._table.close()
        if forget:
            with suppress(FileNotFoundError):
                os.unlink(self._path)

    def get(self, name: str) -> Any:
        """Return the value stored under a name, or None."""
        row = self._table.execute("SELECT value FROM run WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def note(self, **values: Any) -> None:
        """Store values under their names."""
        with self._table:
            self._note(values)

    def add(self, pictures: Iterable[Listed]) -> Changes:
        """Add new pictures, and return how the others have changed since."""
        before = self._count("SELECT count(*) FROM picture")
        with self._table:
            self._table.execute("DELETE FROM now")
            given = 0
            for picture in pictures:
                given += 1
                values = packed(picture)
                self._table.execute(
                    "INSERT OR IGNORE INTO picture "
                    "(place, shown, kind, custom_id, size, mtime_ns, problem) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    values,
                )
                if before:
                    place, _, kind, custom_id, size, mtime_ns, _ = values
                    self._table.execute(
                        "INSERT OR IGNORE INTO now VALUES (?, ?, ?, ?, ?)",
                        (place, custom_id, kind, size, mtime_ns),
                    )
        after = self._count("SELECT count(*) FROM picture")
        if not before:
            return Changes(given - after, 0, 0, 0)
        both = "FROM picture LEFT JOIN now USING (place, custom_id, kind)"
        changes = Changes(
            twice=given - self._count("SELECT count(*) FROM now"),
            new=after - before,
            gone=self._count(f"SELECT count(*) {both} WHERE now.size IS NULL"),
            changed=self._count(
                f"SELECT count(*) {both} WHERE batch IS NOT NULL "
                "AND (picture.size, picture.mtime_ns) <> (now.size, now.mtime_ns)"
            ),
        )
        with self._table:
            self._table.execute("DELETE FROM now")
        return changes

    def is_known(self, picture: Listed) -> bool:
        """Return whether a picture is listed with this size and time, or an earlier content is being sent."""
        open_ = "(SELECT 1 FROM batch WHERE id = picture.batch AND done = 0)"
        place, _, kind, custom_id, size, mtime_ns, _ = packed(picture)
        row = self._table.execute(
            f"SELECT size = ? AND mtime_ns = ? OR {open_} IS NOT NULL FROM picture "
            "WHERE place = ? AND custom_id = ? AND kind = ?",
            (size, mtime_ns, place, custom_id, kind),
        ).fetchone()
        return row is not None and bool(row[0])

    def forget(self, pictures: Iterable[Listed]) -> None:
        """Forget pictures, so that they can be listed again with another content."""
        keys = ((place, custom_id, kind) for place, _, kind, custom_id, *_ in map(packed, pictures))
        with self._table:
            self._table.executemany(
                "DELETE FROM picture WHERE place = ? AND custom_id = ? AND kind = ?", keys
            )

    def pictures(self) -> int:
        """Return the number of pictures, without archives."""
        return self._count("SELECT count(*) FROM picture WHERE kind <> 'archive'")

    def unreadable(self) -> int:
        """Return the number of pictures that cannot be sent, as found when they were listed."""
        return self._count("SELECT count(*) FROM picture WHERE problem IS NOT NULL")

    def bytes(self) -> int:
        """Return the total size of what is to be sent."""
        return self._count("SELECT coalesce(sum(size), 0) FROM picture")

    def archives(self) -> list[Listed]:
        """Return the archives."""
        rows = self._table.execute(f"SELECT {COLUMNS} FROM picture WHERE kind = 'archive' ORDER BY id")
        return [unpacked(row)[1] for row in rows]

    def problems(self, limit: int) -> list[Numbered]:
        """Return pictures that cannot be sent and are not written yet."""
        rows = self._table.execute(
            f"SELECT {COLUMNS} FROM picture WHERE batch IS NULL AND problem IS NOT NULL ORDER BY id LIMIT ?",
            (limit,),
        )
        return [unpacked(row) for row in rows]

    def cut(self, max_items: int, max_bytes: int) -> Batch | None:
        """Return a new batch of one or more unsent pictures, or None if there are none."""
        rows = self._table.execute(
            f"SELECT {COLUMNS} FROM picture WHERE batch IS NULL AND problem IS NULL ORDER BY id LIMIT ?",
            (max_items,),
        )
        pictures: list[Numbered] = []
        size = 0
        for number, picture in map(unpacked, rows.fetchall()):
            size += picture.size
            alone = Kind.ARCHIVE in (picture.kind, *(one.kind for _, one in pictures[:1]))
            if pictures and (alone or size > max_bytes):
                break
            pictures.append((number, picture))
        if not pictures:
            return None
        key = secrets.token_hex(16)
        with self._table:
            id_ = self._table.execute("INSERT INTO batch (key) VALUES (?)", (key,)).lastrowid or 0
            self._table.executemany(
                "UPDATE picture SET batch = ? WHERE id = ?", [(id_, number) for number, _ in pictures]
            )
        return Batch(id_, key, tuple(pictures))

    def open_batches(self) -> Iterator[Batch]:
        """Yield the batches whose results are not all written."""
        rows = self._table.execute("SELECT id, key, job, cursor, next_item FROM batch WHERE done = 0")
        for id_, key, job, cursor, next_item in rows.fetchall():
            pictures = self._table.execute(
                f"SELECT {COLUMNS} FROM picture WHERE batch = ? ORDER BY id", (id_,)
            )
            yield Batch(id_, key, tuple(map(unpacked, pictures)), job, cursor, next_item)

    def accepted(self, batch: Batch, job: str) -> None:
        """Store the job that the service created for a batch."""
        with self._table:
            self._table.execute("UPDATE batch SET job = ? WHERE id = ?", (job, batch.id))

    def renew(self, batch: Batch) -> str:
        """Have a batch sent again under another key, which is returned."""
        key = secrets.token_hex(16)
        with self._table:
            self._table.execute(
                "UPDATE batch SET key = ?, job = NULL, cursor = NULL WHERE id = ?", (key, batch.id)
            )
        return key

    def release(self, batch: Batch) -> None:
        """Make the pictures of a rejected batch unsent again."""
        with self._table:
            self._table.execute("UPDATE picture SET batch = NULL WHERE batch = ?", (batch.id,))
            self._table.execute("DELETE FROM batch WHERE id = ?", (batch.id,))

    def refuse(self, problems: Iterable[tuple[int, ExemplarError]]) -> None:
        """Store why unsent pictures cannot be sent after all."""
        with self._table:
            self._table.executemany(
                "UPDATE picture SET problem = ?, batch = NULL WHERE id = ?",
                [(json.dumps(problem_of(error)), number) for number, error in problems],
            )

    def wrote(self, batch: Batch, *, next_item: int, cursor: str | None, done: bool, **values: Any) -> None:
        """Store that the results of a batch are written up to an item, and values that go with it."""
        with self._table:
            self._table.execute(
                "UPDATE batch SET next_item = ?, cursor = ?, done = ? WHERE id = ?",
                (next_item, cursor, done, batch.id),
            )
            self._note(values)

    def wrote_problems(self, numbers: Sequence[int], **values: Any) -> None:
        """Store that pictures which cannot be sent are written, and values that go with it."""
        with self._table:
            self._table.executemany(
                "UPDATE picture SET batch = ? WHERE id = ?", [(UNSENT, number) for number in numbers]
            )
            self._note(values)

    def mark_written(self, rows: Iterable[tuple[str, str]], plain: Callable[[str], str]) -> int:
        """Mark unsent pictures as written whose path and custom id are among those of an output's rows.

        `plain` makes the same path of every spelling of it. Return the number of marked pictures, without
        archives, whose members have rows of their own.
        """
        self._table.create_function("plain", 1, plain, deterministic=True)
        with self._table:
            self._table.execute("DELETE FROM written")
            self._table.executemany(
                "INSERT OR IGNORE INTO written VALUES (?, ?)", ((plain(path), id_) for path, id_ in rows)
            )
            unsent = f"UPDATE picture SET batch = {UNSENT} WHERE batch IS NULL"
            marked = self._table.execute(
                f"{unsent} AND kind <> 'archive' AND (plain(shown), custom_id) IN written"
            ).rowcount
            self._table.execute(  # `0` follows `/`: paths that start with the archive's and a slash
                f"{unsent} AND kind = 'archive' AND EXISTS (SELECT 1 FROM written WHERE path = plain(shown) "
                "OR path > plain(shown) || '/' AND path < plain(shown) || '0')"
            )
        return marked

    def targets(self, wanted: Mapping[Placed, Iterator[str]]) -> dict[Placed, str]:
        """Return for each picture in a folder the first name that no other has; stored before it is used."""
        chosen: dict[Placed, str] = {}
        with self._table:
            for placed, names in wanted.items():
                had = self._table.execute(
                    "SELECT target FROM placed WHERE picture = ? AND folder = ?", placed
                ).fetchone()
                chosen[placed] = os.fsdecode(had[0]) if had else self._take(placed, names)
        return chosen

    def _take(self, placed: Placed, names: Iterator[str]) -> str:
        for name in names:
            found = self._table.execute(
                "INSERT OR IGNORE INTO placed VALUES (?, ?, ?, ?)", (folded(name), os.fsencode(name), *placed)
            )
            if found.rowcount:
                return name
        raise AssertionError("names never end")

    def _note(self, values: Mapping[str, Any]) -> None:
        self._table.executemany(
            "INSERT OR REPLACE INTO run VALUES (?, ?)",
            [(name, json.dumps(value)) for name, value in values.items()],
        )

    def _count(self, statement: str) -> int:
        with closing(self._table.execute(statement)) as rows:
            return int(rows.fetchone()[0])


def journal_path(out: Path) -> Path:
    """Return the path of the journal of an output."""
    return out.with_name(f"{out.name}.resume")
