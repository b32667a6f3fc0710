"""Snapshots: a replica on disk, so that a start reads one file instead of every row."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind, Index, IndexName
from index.ann_index import Trained
from index.content import Content
from index.replica import Replica
from index.snapshot_check import NAME
from runtime.files import write

DRAFT_TTL_S = 3600.0  # an older draft was left by a worker that was killed while writing


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    version: int
    digest: str


def save(replica: Replica, folder: Path, collection_id: int, *, identity: str = "", mark: str = "") -> Path:
    """Write a snapshot under a name that carries its version and checksum; others are deleted.

    `identity` is the encoder's, `mark` the record's token of this snapshot. Raises OSError.
    """
    content = replica.content()
    packed = _pack(content, identity, mark)
    digest = hashlib.sha256(packed).hexdigest()
    path = folder / f"c{collection_id}-v{content.version}-{digest}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    write(str(path), packed)
    for other in _found(folder, collection_id):
        if other.version <= content.version and other.path != path:
            other.path.unlink(missing_ok=True)
    _remove_old_drafts(folder)
    return path


def load(
    folder: Path,
    collection_id: int,
    dim: int,
    *,
    identity: str = "",
    gpu: bool = False,
    knows: Callable[[str], bool] = lambda _: True,
) -> Replica | None:
    """Return the newest complete snapshot of this encoder; None means to start from SQL.

    A damaged snapshot is deleted, and one is ignored whose mark the record does not know: it is of another
    history, which may have reached the same version.
    """
    for found in sorted(_found(folder, collection_id), key=lambda one: -one.version):
        try:
            packed = found.path.read_bytes()
        except OSError:  # another worker wrote a newer one and deleted this, or the disk is broken
            continue
        if hashlib.sha256(packed).hexdigest() != found.digest:
            _remove(found.path)
            continue
        content = _unpack(packed, found.version, identity, knows)
        if content is not None and content.vectors.shape[1] == dim:
            return restore(content, gpu=gpu)
    return None


def discard(folder: Path, collection_id: int, *, before: int | None = None) -> None:
    """Delete the snapshots of a collection, all or those before a version."""
    for found in _found(folder, collection_id):
        if before is None or found.version < before:
            _remove(found.path)


def _pack(content: Content, identity: str, mark: str) -> bytes:
    rows = [[row.id, row.label, row.kind.value, *_members(row)] for row in content.classes]
    buffer = BytesIO()
    trained: dict[str, Any] = {} if content.trained is None else _pack_trained(content.trained)
    np.savez(
        buffer,
        **trained,
        epoch=np.float64(content.epoch),
        ids=content.ids,
        class_ids=content.class_ids,
        vectors=content.vectors,
        classes=np.frombuffer(json.dumps(rows).encode(), np.uint8),
        encoder=np.frombuffer(identity.encode(), np.uint8),
        mark=np.frombuffer(mark.encode(), np.uint8),
    )
    return buffer.getvalue()


def _unpack(packed: bytes, version: int, identity: str, knows: Callable[[str], bool]) -> Content | None:
    """Return the unpacked content, None if another program version, encoder or history wrote it."""
    try:
        with np.load(BytesIO(packed), allow_pickle=False) as arrays:
            if arrays["encoder"].tobytes().decode() != identity:
                return None
            if not knows(arrays["mark"].tobytes().decode()):
                return None
            return Content(
                version=version,
                epoch=float(arrays["epoch"]),
                ids=arrays["ids"],
                class_ids=arrays["class_ids"],
                vectors=arrays["vectors"],
                classes=[
                    ClassChange(class_id, label, ClassKind(kind), False, tuple(members), bool(complete))
                    for class_id, label, kind, complete, *members in _class_rows(arrays)
                ],
                trained=_unpack_trained(arrays) if "trained" in arrays else None,
            )
    except (KeyError, ValueError, zipfile.BadZipFile):
        return None


def _members(row: ClassChange) -> list[int]:
    """Return what only a label set has: whether it is complete, and its labels."""
    return [int(row.complete), *row.members] if row.kind is ClassKind.SET else []


def _class_rows(arrays: Mapping[str, npt.NDArray[Any]]) -> list[list[Any]]:
    rows = json.loads(arrays["classes"].tobytes())
    return [row if len(row) > 3 else [*row, 0] for row in rows]


def _pack_trained(trained: Trained) -> dict[str, npt.NDArray[np.uint8]]:
    index = json.dumps({**asdict(trained.index), "supports": trained.supports}).encode()
    return {"trained": np.frombuffer(trained.packed, np.uint8), "trained_as": np.frombuffer(index, np.uint8)}


def _unpack_trained(arrays: Mapping[str, npt.NDArray[Any]]) -> Trained:
    known = json.loads(arrays["trained_as"].tobytes())
    index = Index(IndexName(known["name"]), known["probes"], known["refine"])
    return Trained(index, known["supports"], arrays["trained"].tobytes())


def _remove_old_drafts(folder: Path) -> None:
    for draft in folder.glob("*.part"):
        with suppress(OSError):
            if draft.stat().st_mtime < time.time() - DRAFT_TTL_S:
                draft.unlink()


def _remove(path: Path) -> None:
    with suppress(OSError):  # a read-only folder must not prevent answers
        path.unlink()


def _found(folder: Path, collection_id: int) -> list[_Found]:
    if not folder.is_dir():
        return []
    matches = [(path, NAME.fullmatch(path.name)) for path in folder.iterdir()]
    return [
        _Found(path, int(match["version"]), match["digest"])
        for path, match in matches
        if match is not None and int(match["collection"]) == collection_id
    ]


def restore(content: Content, *, gpu: bool = False) -> Replica:
    """Return a replica with the content of a copy."""
    replica = Replica(content.vectors.shape[1], gpu=gpu)
    supports = [
        SupportChange(int(support_id), int(class_id), vector)
        for support_id, class_id, vector in zip(content.ids, content.class_ids, content.vectors, strict=True)
    ]
    replica.apply(Changes(content.version, content.classes, supports, content.epoch))
    replica.ann.trained = content.trained
    return replica
