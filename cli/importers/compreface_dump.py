"""CompreFace's database as `pg_dump` writes it in plain text: examples with their pictures inside.

The tables are `subject` (id, subject_name), `img` (id, content) and `embedding` (subject_id, img_id), as the
entities of the same names in CompreFace 1.x declare them; the lines have COPY's text format (PostgreSQL's
documentation of COPY, "Text Format"), with bytes as hexadecimal digits. Face collections of all its services
are read as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from cli.importers.labelled import Found, LabelledPicture, Unusable
from core.errors import ExemplarError

ENCODING = re.compile(rb"SET client_encoding = '(.*)';")
TABLES = {b"subject", b"embedding", b"img"}
COPY = re.compile(rb'COPY (?:public\.)?"?(subject|embedding|img)"? \((.*)\) FROM stdin;')
END = b"\\."
NULL = b"\\N"
HEX = b"\\\\x"
ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
CUSTOM = b"PGDMP"


@dataclass
class _Tables:
    """The dump's tables without the pictures, which are read from their offsets one at a time."""

    names: dict[bytes, str] = field(default_factory=dict)
    """Names of subjects by id."""
    subjects: dict[bytes, bytes] = field(default_factory=dict)
    """Subject ids by picture id."""
    places: dict[bytes, tuple[int, int, int]] = field(default_factory=dict)
    """By picture id: the offset of the line, its length, and the column of the content."""
    without_picture: int = 0
    """Embeddings stored without a picture."""


def read_dump(path: Path) -> Found:
    """Yield the examples of a dump; raises `manifest_invalid`."""
    tables = _read_tables(path)
    for picture, (offset, length, column) in tables.places.items():
        name = tables.names.get(tables.subjects.get(picture, b""))
        id_ = picture.decode(errors="replace")
        if name is None:
            yield Unusable(
                id_, ExemplarError("manifest_invalid", "expected a subject for this picture, got none")
            )
        else:
            yield LabelledPicture(id_, (name,), partial(_content, path, offset, length, column), id_)
    if tables.without_picture:
        missing = f"{tables.without_picture} embeddings were stored without their pictures"
        yield Unusable(path.name, ExemplarError("picture_missing", missing))


def _read_tables(path: Path) -> _Tables:
    tables = _Tables()
    found = set()
    for table, columns, line, offset in _rows(path):
        found.add(table)
        row = dict(zip(columns, line.rstrip(b"\n").split(b"\t"), strict=False))
        if table == b"subject":
            tables.names[row.get(b"id", b"")] = _unescaped(row.get(b"subject_name", b"")).decode(
                errors="replace"
            )
        elif table == b"embedding":
            picture = row.get(b"img_id", NULL)
            tables.without_picture += picture == NULL
            tables.subjects[picture] = row.get(b"subject_id", b"")
        elif b"id" in row and b"content" in row:
            tables.places[row[b"id"]] = (offset, len(line), columns.index(b"content"))
            tables.subjects.setdefault(row[b"id"], row.get(b"subject_id", b""))
    if found != TABLES:
        raise ExemplarError(
            "manifest_invalid",
            f"{path}: expected a dump of CompreFace by pg_dump, with COPY of subject, embedding and img, "
            f"got {', '.join(sorted(name.decode() for name in found)) or 'none of them'}",
        )
    return tables


def _rows(path: Path) -> Iterator[tuple[bytes, list[bytes], bytes, int]]:
    """Yield table, columns, line and offset of every relevant row."""
    with _opened(path) as file:
        if file.read(len(CUSTOM)) == CUSTOM:
            raise ExemplarError(
                "manifest_invalid", f"{path}: expected plain text; convert it with pg_restore -f dump.sql"
            )
        file.seek(0)
        offset = 0
        table, columns = b"", list[bytes]()
        while line := file.readline():
            if table and line.rstrip() == END:
                table = b""
            elif table:
                yield table, columns, line, offset
            elif (encoding := ENCODING.match(line)) and encoding[1] != b"UTF8":
                raise ExemplarError(
                    "manifest_invalid", f"{path}: expected UTF8, got {encoding[1]!r}; dump it with -E UTF8"
                )
            elif begun := COPY.match(line):
                table = begun[1]
                columns = [name.strip(b' "') for name in begun[2].split(b",")]
            offset += len(line)


def _opened(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise ExemplarError("manifest_invalid", f"{path}: {error.strerror}") from error


def _content(path: Path, offset: int, length: int, column: int) -> bytes:
    with _opened(path) as file:
        file.seek(offset)
        content = file.read(length).rstrip(b"\n").split(b"\t")[column]
    if not content.startswith(HEX):
        raise ExemplarError("picture_unreadable", "expected a picture as hexadecimal digits")
    try:
        return bytes.fromhex(content[len(HEX) :].decode("ascii"))
    except ValueError as error:
        raise ExemplarError("picture_unreadable", f"expected hexadecimal digits: {error}") from error


def _unescaped(text: bytes) -> bytes:
    return ESCAPED.sub(lambda found: ESCAPES.get(found[1], found[1]), text)
