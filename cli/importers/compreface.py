"""CompreFace: saved examples of a face collection, from its database dump or its REST API's listing.

A dump is named *.sql. An API listing is JSON with `faces`, each with `image_id` and `subject`, as the call
"List of All Saved Examples of the Subject" answers (docs/Rest-API-description.md of CompreFace): one page per
file, and each picture in a file named by its `image_id`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cli.importers.compreface_dump import read_dump
from cli.importers.labelled import Found, LabelledPicture, Unusable, read_file, read_json
from core.errors import ExemplarError


def read_compreface(path: Path, folder: Path | None) -> Found:
    """Yield the examples of a dump (*.sql), of one listing, or of all listings (*.json) of a folder."""
    if path.suffix.lower() == ".sql":
        yield from read_dump(path)
        return
    pictures = folder or (path if path.is_dir() else path.parent)
    by_id = {file.stem.lower(): file for file in sorted(pictures.rglob("*")) if file.suffix != ".json"}
    for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        page = read_json(file)
        faces = page.get("faces") if isinstance(page, dict) else None
        if not isinstance(faces, list):
            raise ExemplarError("manifest_invalid", f'{file}: expected an object with "faces"')
        for number, face in enumerate(faces):
            at = f"{file.name}, face {number}"
            if not isinstance(face, dict) or not face.get("image_id") or not face.get("subject"):
                yield Unusable(at, ExemplarError("manifest_invalid", "expected image_id and subject"))
                continue
            id_ = str(face["image_id"])
            found = by_id.get(id_.lower())
            if found is None:
                missing = f"{pictures} holds no picture named {id_}"
                yield Unusable(id_, ExemplarError("picture_missing", missing))
                continue
            yield LabelledPicture(id_, (str(face["subject"]),), partial(read_file, found), id_)
