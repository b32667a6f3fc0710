"""Manifests: one line of JSON or CSV for each picture, read line by line."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.caller_fields import CallersId, check_metadata
from core.errors import ExemplarError
from core.label_sets import FLAGS, split_labels
from formats.bounded_reader import Readable
from formats.csv_dialect import declared_delimiter, delimiter_of
from formats.text_encoding import Utf8Reader, not_utf8

LINE_BYTES = 1 << 16
RECORD_BYTES = 1 << 18  # of a CSV record, which may go over several lines
READ_BYTES = 1 << 20

Place = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]*$")]

PathId = Annotated[str, Field(max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A caller's own name of a picture, which is a path very often."""


class Row(BaseModel):
    """One picture of a manifest: where it is, and what the caller says of it."""

    model_config = ConfigDict(extra="forbid")

    url: Place | None = None
    file: Place | None = None
    path: Place | None = None
    custom_id: PathId | None = None
    label: str | None = None
    external_id: CallersId | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    labels: list[str] | None = None
    complete: bool | None = None

    @property
    def label_texts(self) -> tuple[str, ...] | None:
        """Its `labels` as they were written."""
        return None if self.labels is None else tuple(self.labels)


Line = Row | ExemplarError
"""A row, or what is wrong with it."""

_COLUMNS = tuple(Row.model_fields)


def read_jsonl(file: Readable) -> Iterator[Line]:
    """Yield the rows of a manifest of JSON lines; empty lines are left out."""
    for number, line in enumerate(_lines(Utf8Reader(file)), start=1):
        if line is None:
            yield ExemplarError(
                "manifest_invalid", f"line {number}: expected at most {LINE_BYTES} bytes, got more"
            )
        elif line.strip():
            yield _json_row(number, line)


def read_csv(file: Readable) -> Iterator[Line]:
    """Yield the rows of a CSV manifest; raises as `read_records` does."""
    for number, cells in read_records(file, _COLUMNS, f"columns out of {', '.join(_COLUMNS)}, each once"):
        yield cells if isinstance(cells, ExemplarError) else _csv_row(number, cells)


def read_records(
    file: Readable, columns: Sequence[str], expected: str, *, required: Collection[str] = ()
) -> Iterator[tuple[int, dict[str, str] | ExemplarError]]:
    """Yield the number of the last line of each record of a CSV file, and its cells or what is wrong with it.

    The first line names the columns, between `,`, `;` or tabs. Raises `manifest_invalid` where it
    does not, or where it is no CSV further on.
    """
    text = _Text(file, columns)
    first = text.first_line()
    records = csv.reader(text, delimiter=text.delimiter, strict=True)
    header = _next_record(csv.reader([first], delimiter=text.delimiter, strict=True), text) or []
    names = [name.strip().lower() for name in header]
    if not names or not set(required) <= set(names) <= set(columns) or len(set(names)) < len(names):
        raise ExemplarError("manifest_invalid", f"expected a first line with {expected}, got {header}"[:500])
    while (cells := _next_record(records, text)) is not None:
        if any(cells):
            yield text.line, _cells(text.line, names, cells)


def _next_record(records: Iterator[list[str]], text: _Text) -> list[str] | None:
    text.begin_record()
    try:
        return next(records, None)
    except csv.Error as error:
        raise ExemplarError("manifest_invalid", f"line {text.line}: expected CSV: {error}") from error


class _Text:
    """The lines of a CSV file as text; a record that goes on and on is an error.

    Bytes that are not UTF-8 come as half characters, so that only their record is wrong.
    """

    def __init__(self, file: Readable, columns: Sequence[str]) -> None:
        self._columns = columns
        self._lines = _lines(Utf8Reader(file))
        self._left = 0
        self.line = 0
        self.delimiter = ","

    def first_line(self) -> str:
        """Return the line that names the columns, and find the delimiter."""
        self.begin_record()
        header = next(self, "")
        declared = declared_delimiter(header)
        if declared is not None:
            header = next(self, "")
        _check_utf8(self.line, header)
        self.delimiter = declared or delimiter_of(header, self._columns)
        return header

    def begin_record(self) -> None:
        self._left = RECORD_BYTES

    def __iter__(self) -> _Text:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.line += 1
        if line is not None:
            self._left -= len(line)
        if line is None or self._left < 0:
            raise ExemplarError("manifest_invalid", f"line {self.line}: expected shorter lines of CSV")
        return line.decode("utf-8", "surrogateescape")


def _lines(file: Readable) -> Iterator[bytes | None]:
    """Yield lines with their ends; None stands for one that is too long."""
    rest = b""
    is_long = False
    while data := file.read(READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield None if is_long or len(line) > LINE_BYTES else line + b"\n"
            is_long = False
        if len(rest) > LINE_BYTES:
            rest, is_long = b"", True
    if is_long or rest:
        yield None if is_long else rest


def _check_utf8(number: int, text: str) -> None:
    raw = text.encode("utf-8", "surrogateescape")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise ExemplarError("manifest_invalid", f"line {number}: {not_utf8(raw, error)}") from error


def _json_row(number: int, line: bytes) -> Line:
    try:
        values = json.loads(line.decode())
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode()  # half a character is no text
    except UnicodeDecodeError as error:
        return ExemplarError("manifest_invalid", f"line {number}: {not_utf8(line, error)}")
    except (ValueError, RecursionError) as error:
        return ExemplarError("manifest_invalid", f"line {number}: expected a JSON object: {error}"[:300])
    return _row(number, values)


def _cells(number: int, names: list[str], cells: list[str]) -> dict[str, str] | ExemplarError:
    try:
        for cell in cells:
            _check_utf8(number, cell)
    except ExemplarError as error:
        return error
    if len(cells) != len(names):
        return ExemplarError(
            "manifest_invalid", f"line {number}: expected {len(names)} cells, got {len(cells)}"
        )
    return dict(zip(names, cells, strict=True))


def _csv_row(number: int, cells: dict[str, str]) -> Line:
    values: dict[str, Any] = {name: cell for name, cell in cells.items() if cell}
    if "labels" in values:
        values["labels"] = split_labels(values["labels"])
    if "complete" in values:
        values["complete"] = FLAGS.get(values["complete"].strip().lower(), values["complete"])
    if "metadata" in values:
        try:
            values["metadata"] = json.loads(values["metadata"])
            json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError) as error:
            return ExemplarError("manifest_invalid", f"line {number}: metadata: expected JSON: {error}"[:300])
    return _row(number, values)


def _row(number: int, values: Any) -> Line:
    try:
        row = Row.model_validate(values, strict=True)
        check_metadata(row.metadata)
    except ValidationError as error:
        first = error.errors()[0]
        place = "/".join(str(part) for part in first["loc"])[:100]
        return ExemplarError("manifest_invalid", f"line {number}: {place or 'row'}: {first['msg']}"[:300])
    except ExemplarError as error:
        return ExemplarError(error.code, f"line {number}: {error.message}")
    if sum(place is not None for place in (row.url, row.file, row.path)) != 1:
        return ExemplarError("manifest_invalid", f"line {number}: expected one of url, file and path")
    return row
