"""Snapshots: a replica on disk, so that a start reads one file instead of every row."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from core.changes import ClassChange
from core.types import ClassKind
from index.replica import Replica, restore

_NAME = re.compile(r"c(?P<collection>\d+)-v(?P<version>\d+)-(?P<digest>[0-9a-f]{64})\.npz")


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    version: int
    digest: str


def save(replica: Replica, folder: Path, collection_id: int) -> Path:
    """Write a snapshot under a name that carries its version and checksum; older ones are removed."""
    ids, classes, vectors, table = replica.content()
    version = replica.version
    buffer = BytesIO()
    rows = [[row.id, row.label, row.kind.value] for row in table]
    np.savez(
        buffer,
        ids=ids,
        classes=classes,
        vectors=vectors,
        table=np.frombuffer(json.dumps(rows).encode(), np.uint8),
    )
    content = buffer.getvalue()
    path = folder / f"c{collection_id}-v{version}-{hashlib.sha256(content).hexdigest()}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.part")
    with open(draft, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    for older in _found(folder, collection_id):
        if older.version < version:
            older.path.unlink(missing_ok=True)
    return path


def load(folder: Path, collection_id: int, dim: int, *, gpu: bool = False) -> Replica | None:
    """Return the newest snapshot that is whole; a damaged one is removed, and None means start from SQL."""
    for found in sorted(_found(folder, collection_id), key=lambda one: -one.version):
        try:
            content = found.path.read_bytes()
        except FileNotFoundError:  # another worker wrote a newer one and removed this
            continue
        if hashlib.sha256(content).hexdigest() != found.digest:
            found.path.unlink(missing_ok=True)
            continue
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            if arrays["vectors"].shape[1] != dim:
                continue
            table = [
                ClassChange(class_id, label, ClassKind(kind))
                for class_id, label, kind in json.loads(arrays["table"].tobytes())
            ]
            return restore(
                version=found.version,
                ids=arrays["ids"],
                classes=arrays["classes"],
                vectors=arrays["vectors"],
                table=table,
                gpu=gpu,
            )
    return None


def _found(folder: Path, collection_id: int) -> list[_Found]:
    if not folder.is_dir():
        return []
    matches = [(path, _NAME.fullmatch(path.name)) for path in folder.iterdir()]
    return [
        _Found(path, int(match["version"]), match["digest"])
        for path, match in matches
        if match is not None and int(match["collection"]) == collection_id
    ]
