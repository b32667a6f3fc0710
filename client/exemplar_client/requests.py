"""Requests, made the same way for both clients."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote
from uuid import uuid4

from pydantic_core import to_jsonable_python

PART_BYTES = 1 << 20
MEDIA_TYPES = {
    ".zip": "application/zip",
    ".tar": "application/x-tar",
    ".gz": "application/gzip",
    ".tgz": "application/gzip",
    ".bz2": "application/x-bzip2",
    ".xz": "application/x-xz",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".csv": "text/csv",
}

Picture = bytes | str | os.PathLike[str] | IO[bytes]
"""A picture file: its bytes, its path, or the file opened for reading bytes."""

Pictures = Picture | Sequence[Picture]

Content = bytes | str | os.PathLike[str]
"""A body: its bytes, or the path of a file that is sent as it is read."""

Form = Mapping[str, str | Sequence[str]]
"""The text parts of a form; each text of a list is one of them."""

Parts = Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """One call; `parts` gives the body anew each time that it is sent."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    parts: Parts | None = None
    files: Sequence[tuple[str, tuple[str, bytes]]] | None = None
    form: Form | None = None
    may_repeat: bool = False
    """Whether sending it twice does no more than sending it once."""


def in_path(part: object) -> str:
    """Return a text as one part of a path."""
    return quote(str(part), safe="")


def given(**values: Any) -> dict[str, Any]:
    """Return what is not None, as JSON; a `_` at the end of a name keeps it from being Python's own word."""
    return {
        name.removesuffix("_"): to_jsonable_python(value, by_alias=True, exclude_none=True)
        for name, value in values.items()
        if value is not None
    }


def in_query(**values: Any) -> dict[str, Any]:
    """Return what is not None, as a query spells it."""
    return {name: _spelled(value) for name, value in given(**values).items()}


def _spelled(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, Mapping) else value


def submitting(key: str | None, wait_s: float) -> dict[str, str]:
    """Return the headers of a submission: a key, so that it may be sent again, and how long to wait."""
    headers = {"Idempotency-Key": key or str(uuid4())}
    return headers if wait_s <= 0 else {**headers, "Prefer": f"wait={wait_s:.0f}"}


def labelled(label: str | Sequence[str], complete: bool | None) -> Form:
    """Return what a form says of the labels of its pictures; none at all are complete."""
    is_complete = complete if complete is not None or label else True
    return {"label": label, **in_query(complete=is_complete)}


def picture_files(pictures: Pictures) -> list[tuple[str, tuple[str, bytes]]]:
    """Return pictures as the parts of a form."""
    one_by_one = pictures if isinstance(pictures, Sequence) and not _is_one(pictures) else [pictures]
    return [("image", (f"{number}", _bytes(one))) for number, one in enumerate(one_by_one)]


def base64_of(pictures: Pictures) -> list[str]:
    """Return pictures as texts for JSON."""
    return [base64.b64encode(content).decode() for _, (_, content) in picture_files(pictures)]


def parts_of(content: Content) -> Parts:
    """Return what gives a body part by part, each time from its beginning."""
    if isinstance(content, bytes):
        return lambda: iter((content,))
    return lambda: _file_parts(Path(content))


def media_type_of(content: Content) -> str:
    """Return the media type that a file's name says; the service looks into archives itself."""
    suffix = "" if isinstance(content, bytes) else Path(content).suffix.lower()
    return MEDIA_TYPES.get(suffix, "application/octet-stream")


def bulk_request(
    collection: str, content: Content, media_type: str | None, headers: Mapping[str, str], **query: Any
) -> Request:
    """Return the upload of an archive or a manifest."""
    return Request(
        "POST",
        f"/v1/collections/{in_path(collection)}/bulk",
        in_query(**query),
        {**headers, "Content-Type": media_type or media_type_of(content)},
        parts=parts_of(content),
        may_repeat=True,
    )


def _is_one(pictures: Sequence[Any]) -> bool:
    return isinstance(pictures, bytes | bytearray | str)


def _bytes(picture: Any) -> bytes:
    if isinstance(picture, bytes | bytearray):
        return bytes(picture)
    if isinstance(picture, str | os.PathLike):
        return Path(picture).read_bytes()
    content: bytes = picture.read()
    return content


def _file_parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield part
