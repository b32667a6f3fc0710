"""Sidecars, files next to the pictures: XMP, or JSON with the whole row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import fsspec

from cli.tag.actions import Tagged
from cli.tag.journal_rows import Numbered
from cli.tag.listing import Kind, Listed
from cli.tag.rows import COLUMNS, Row
from cli.tag.show import Show
from cli.tag.sidecar import put_sidecar, sidecar_of, sidecar_path
from runtime.files import write


class Form(StrEnum):
    """The kind of a sidecar: `a.jpg.xmp` if it is known, or always `a.jpg.exemplar.json`."""

    XMP = "xmp"
    JSON = "json"


class Sidecars:
    """Writes a sidecar of each picture that is done; without a form none. It is idempotent."""

    def __init__(self, collection: str, form: Form | None, show: Show) -> None:
        self._collection = collection
        self._form = form
        self._show = show

    def do(self, tagged: Sequence[Tagged]) -> Counter[str]:
        """Write the files; return how many there are of each outcome."""
        if self._form is None:
            return Counter()
        return Counter(self._write(one, row) for one, row in tagged if row["status"] == "done")

    def _write(self, numbered: Numbered, row: Row) -> str:
        picture = numbered[1]
        try:
            if self._form is Form.JSON:
                line = json.dumps({name: row[name] for name in COLUMNS}, ensure_ascii=False) + "\n"
                _put(picture, f"{picture.place}.exemplar.json", line.encode())
                return "sidecars_written"
            return self._write_xmp(picture, sidecar_of(self._collection, row))
        except Exception as error:  # the boundary to any file system: each raises its own
            self._show.say(f"no sidecar of {row['path']!r}: {error}")
            return "sidecars_failed"

    def _write_xmp(self, picture: Listed, content: bytes | None) -> str:
        if picture.kind is Kind.LOCAL:
            return put_sidecar(picture.place, content, overwrite=False)
        if content is None:
            return "sidecars_none"
        _put(picture, sidecar_path(picture.place), content)
        return "sidecars_written"


def _put(picture: Listed, place: str, content: bytes) -> None:
    if picture.kind is Kind.LOCAL:
        write(place, content, durable=False)
        return
    files: Any
    files, path = fsspec.core.url_to_fs(place)
    files.pipe_file(path, content)
