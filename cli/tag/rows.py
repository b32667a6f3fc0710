"""The rows that `exemplar tag` writes, one per picture, as CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import hashlib
import importlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from cli.client import Json
from cli.tag.listing import Listed
from core.errors import ExemplarError
from core.packages import require_packages
from core.results import has_several
from formats.csv import csv_line
from runtime.files import replacing

COLUMNS = (
    "path",
    "custom_id",
    "status",
    "decision",
    "label",
    "labels",
    "confidence",
    "automatic",
    "candidates",
    "index_version",
    "encoder",
    "error_code",
    "error_detail",
)
PACKED = ("labels", "candidates", "automatic")  # as JSON in CSV
FORMS = (".csv", ".jsonl", ".parquet")
GROUP_ROWS = 5000
TAIL_BYTES = 4096

Row = Json
"""The cells of a row by `COLUMNS`."""


def row_of(picture: Listed, result: Json) -> Row:
    """Return the row of a result, with what a person has said of it by now, which only sidecars carry."""
    error = result.get("error") or {}
    return {
        **{name: result.get(name) for name in COLUMNS},
        **{name: result[name] for name in ("final_label", "final_labels", "reviewed") if name in result},
        **({"labels": _short(result["labels"])} if has_several(result) else {}),
        "path": picture.shown,
        "custom_id": picture.custom_id or None,
        "error_code": error.get("code"),
        "error_detail": error.get("detail"),
    }


def _short(labels: Sequence[Json]) -> list[Json]:
    names = ("label", "probability", "decision")
    return [
        {**{name: one[name] for name in names}, **({"part": one["part"]} if one.get("part") else {})}
        for one in labels
    ]


def failed_row(picture: Listed, error: ExemplarError) -> Row:
    """Return the row of a picture without a result."""
    problem = {"code": error.code, "detail": error.message}
    return row_of(picture, {"status": "failed", "error": problem})


class Output:
    """The rows on disk; those of a Parquet file are collected in a separate file until it is complete."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.form = path.suffix.lower()
        if self.form not in FORMS:
            raise ExemplarError(
                "out_invalid", f"--out: expected a name with {', '.join(FORMS)}, got {path.name!r}"
            )
        if self.form == ".parquet":
            require_packages("writing .parquet", "pyarrow")  # fail before any work is done
        self.rows = path.with_name(f"{path.name}.rows") if self.form == ".parquet" else path

    def exists(self) -> bool:
        """Whether the output exists."""
        return self.path.exists() or self.rows.exists()

    def remove(self) -> None:
        """Delete the output."""
        for path in {self.path, self.rows}:
            path.unlink(missing_ok=True)

    def open(self, written: Json | None) -> None:
        """Continue after the position that `append` returned last, or start over.

        What follows that position is cut off. Raises `out_changed` if the file was changed meanwhile.
        """
        try:
            self._file = self.rows.open("wb" if written is None else "r+b")
        except FileNotFoundError as error:
            raise ExemplarError(
                "out_changed", f"{self.rows} of the interrupted run is missing; start over with --overwrite"
            ) from error
        except OSError as error:
            raise ExemplarError("out_invalid", f"--out: {self.rows}: {error.strerror}") from error
        if written is None:
            if self.form == ".csv":
                self._file.write(csv_line(COLUMNS).encode())
            return
        size: int = written["size"]
        self._file.seek(max(size - TAIL_BYTES, 0))
        if _digest(self._file.read(size - self._file.tell())) != written["tail"]:
            self._file.close()
            raise ExemplarError(
                "out_changed",
                f"{self.rows} was changed since the interrupted run; restore it, or start over with "
                "--overwrite",
            )
        self._file.truncate(size)
        self._file.seek(size)

    def append(self, rows: Sequence[Row]) -> Json:
        """Write rows; they are on disk once this returns. The return value is their end position."""
        line = _csv if self.form == ".csv" else _json
        self._file.write("".join(map(line, rows)).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._position()

    def reopen(self) -> Json:
        """Make a complete output ready to be continued; return its end position, as `append` does.

        Raises `out_invalid` if it was not written by this command.
        """
        if self.form == ".parquet":
            with replacing(self.rows) as draft, open(draft, "w") as file:
                file.writelines(map(_json, read_rows(self.path)))
        position = self._position()
        with self.rows.open("rb") as file:
            if position["size"] and (file.seek(-1, os.SEEK_END), file.read())[1] != b"\n":
                raise _no_output(self.path)
        return position

    def _position(self) -> Json:
        with self.rows.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - TAIL_BYTES, 0))
            return {"size": size, "tail": _digest(file.read())}

    def close(self) -> None:
        """Close the rows of a run that has ended, however it did."""
        with suppress(OSError):  # rows that do not fit on the disk were never noted as written
            self._file.close()

    def finish(self) -> None:
        """Complete the output; a Parquet file is written now, one row group at a time."""
        self._file.close()
        if self.form == ".parquet":
            _write_parquet(self.rows, self.path)

    def clean(self) -> None:
        """Delete temporary files once no run can resume from them."""
        if self.rows != self.path:
            self.rows.unlink(missing_ok=True)


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of an output; raises `out_invalid` if it is none."""
    try:
        if path.suffix.lower() == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    cells = {name: row[name] or None for name in COLUMNS}
                    yield {**cells, **{name: json.loads(cells[name] or "null") for name in PACKED}}
        elif path.suffix.lower() == ".parquet":
            for batch in (
                importlib.import_module("pyarrow.parquet").ParquetFile(path).iter_batches(GROUP_ROWS)
            ):
                yield from ({name: row[name] for name in COLUMNS} for row in batch.to_pylist())
        else:
            for group in _groups(path):
                yield from ({name: row[name] for name in COLUMNS} for row in group)
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise _no_output(path) from error


def _no_output(path: Path) -> ExemplarError:
    return ExemplarError("out_invalid", f"{path} was not written by this command; it cannot be added to")


def _csv(row: Row) -> str:
    packed = {name: json.dumps(row[name], ensure_ascii=False) for name in PACKED if row[name] is not None}
    return csv_line([{**row, **packed}[name] for name in COLUMNS])


def _json(row: Row) -> str:
    return json.dumps({name: row[name] for name in COLUMNS}) + "\n"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write_parquet(rows: Path, path: Path) -> None:
    pa = importlib.import_module("pyarrow")
    pq = importlib.import_module("pyarrow.parquet")
    candidates = pa.list_(pa.struct([("label", pa.string()), ("probability", pa.float64())]))
    given = [("label", pa.string()), ("probability", pa.float64()), ("decision", pa.string())]
    types = {
        "confidence": pa.float64(),
        "automatic": pa.bool_(),
        "candidates": candidates,
        "labels": pa.list_(pa.struct(given)),
        "index_version": pa.int64(),
    }
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    with replacing(path) as draft, pq.ParquetWriter(draft, schema, compression="zstd") as writer:
        for group in _groups(rows):
            writer.write_table(pa.Table.from_pylist(group, schema))


def _groups(rows: Path) -> Iterator[list[Row]]:
    with rows.open("rb") as file:
        while group := [json.loads(line) for line in islice(file, GROUP_ROWS)]:
            yield group
