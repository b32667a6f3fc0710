"""A collection as one file: a zip whose members NumPy and json read, written as a stream.

`manifest.json` says what it is; `supports/` holds ids, class places and vectors as .npy and the rest as JSON
lines, row i of each for support i; `pictures/` holds pictures by their SHA-256; `checksums.json`, the last,
size and SHA-256 of every other member. Nothing is compressed, so that no member is larger than it looks.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from core.collections import ClassKind, Labels, Rule, Views
from core.label_sets import LabelSet
from core.quality import USUAL, Quality
from formats.bounded_reader import Readable
from formats.sink import Sink

MANIFEST, CHECKSUMS = "manifest.json", "checksums.json"
IDS, CLASSES, VECTORS, ROWS = (
    "supports/ids.npy",
    "supports/classes.npy",
    "supports/vectors.npy",
    "supports/rows.jsonl",
)
PICTURES = "pictures/"
TYPES: dict[str, np.dtype[Any]] = {IDS: np.dtype("<i8"), CLASSES: np.dtype("<i4"), VECTORS: np.dtype("<f4")}
BLOCK = 1 << 20
_MOMENT = (1980, 1, 1, 0, 0, 0)  # the same for every member, so that the same collection gives the same bytes


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BundleClass(_Part):
    """A class, by its place in the list; a label set has no label but the places of its members."""

    label: str
    kind: ClassKind
    members: tuple[int, ...] = ()
    complete: bool = False


class BundleEncoder(_Part):
    """Whose vectors these are.

    `probe` is what the encoder makes of a picture that everyone can draw, `identity` how it ran where the
    file was made: treatment of features, runtime and number format.
    """

    spec: str
    dim: int = Field(ge=1, le=1 << 16)
    probe: tuple[float, ...] | None = None
    identity: str | None = None


class Manifest(_Part):
    """What a file holds."""

    format: Literal["exemplar-collection"] = "exemplar-collection"
    format_version: Literal[1, 2] = 1
    """2 where a picture may have several labels, which earlier versions of the program do not know."""
    collection: str
    version: int
    encoder: BundleEncoder
    rule: Rule
    views: Views
    prompts: str | tuple[str, ...] | None
    classes: tuple[BundleClass, ...]
    supports: int = Field(ge=0)
    labels: Labels = Labels.ONE
    quality: Quality = USUAL

    def label_sets(self) -> list[LabelSet | None]:
        """Return the labels of the set at each place; None for a class."""
        return [
            LabelSet(tuple(sorted(self.classes[place].label for place in one.members)), one.complete)
            if one.kind is ClassKind.SET
            else None
            for one in self.classes
        ]

    def packed(self) -> bytes:
        """Return it as JSON, with `labels` only where they are several, and `quality` only if changed."""
        left_out: dict[str, Any] = {"quality": True} if self.quality == USUAL else {}
        if self.labels is Labels.ONE:
            left_out |= {"labels": True, "classes": {"__all__": {"members": True, "complete": True}}}
        return self.model_dump_json(indent=2, exclude=left_out).encode()


@dataclass(frozen=True, slots=True)
class BundleSupport:
    """One support; `vector` is (dim,) float32 as little-endian bytes."""

    id: int
    class_place: int
    vector: bytes
    label: str | None
    picture: str
    external_id: str | None
    metadata: Mapping[str, Any]
    created_at: float
    labels: LabelSet | None = None
    """Its labels, if a picture may have several."""

    @property
    def row(self) -> Mapping[str, Any]:
        """What its line says."""
        said: dict[str, Any] = {"label": self.label}
        if self.labels is not None:
            said = {"labels": list(self.labels.labels), "complete": self.labels.complete}
        return {
            **said,
            "external_id": self.external_id,
            "metadata": self.metadata,
            "picture": self.picture,
            "created_at": self.created_at,
        }


class _File(Readable, Protocol):
    def close(self) -> None: ...


Open = Callable[[str], _File | None]
"""Opens the picture of a digest; None where it is not kept."""


class Spool:
    """The members of a file on disk, filled while the record is read, and streamed without it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        opened = (TemporaryFile() for _ in range(len(TYPES) + 1))  # noqa: SIM115 - the stack closes them
        self._files = dict(zip((*TYPES, ROWS), map(self._stack.enter_context, opened), strict=True))
        self._manifest: Manifest | None = None

    def fill(self, manifest: Manifest, supports: Iterable[BundleSupport]) -> None:
        """Write all supports, as many as the manifest says."""
        self._manifest = manifest
        shapes = {IDS: (manifest.supports,), CLASSES: (manifest.supports,)}
        shapes[VECTORS] = (manifest.supports, manifest.encoder.dim)  # type: ignore[assignment]
        for name, type_ in TYPES.items():
            header = {"descr": type_.str, "fortran_order": False, "shape": shapes[name]}
            np.lib.format.write_array_header_1_0(self._files[name], header)
        for one in supports:
            self._files[IDS].write(one.id.to_bytes(8, "little", signed=True))
            self._files[CLASSES].write(one.class_place.to_bytes(4, "little", signed=True))
            self._files[VECTORS].write(one.vector)
            self._files[ROWS].write(json.dumps(one.row, ensure_ascii=False).encode() + b"\n")

    def stream(self, open_picture: Open | None = None) -> Iterator[bytes]:
        """Yield the bytes of the file, with pictures where they can be opened; then all is gone."""
        assert self._manifest is not None, "expected a spool that was filled"
        with self._stack:
            yield from _Writer().write(self._members(self._manifest, open_picture))

    def close(self) -> None:
        """Remove what was written."""
        self._stack.close()

    def _members(
        self, manifest: Manifest, open_picture: Open | None
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        yield MANIFEST, iter([manifest.packed()])
        for name, file in self._files.items():
            file.seek(0)
            yield name, _blocks(file)
        if open_picture is None:
            return
        for digest in self._digests():
            picture = open_picture(digest)
            if picture is not None:
                with closing(picture):
                    yield PICTURES + digest, _blocks(picture)

    def _digests(self) -> Iterator[str]:
        seen: set[bytes] = set()
        self._files[ROWS].seek(0)
        for line in self._files[ROWS]:
            digest = json.loads(line)["picture"]
            if (key := digest.encode()) not in seen:
                seen.add(key)
                yield digest


class _Writer:
    """Writes a zip to nowhere but a buffer, which is given away as it fills."""

    def __init__(self) -> None:
        self._sink = Sink()
        self._checksums: dict[str, dict[str, Any]] = {}

    def write(self, members: Iterable[tuple[str, Iterator[bytes]]]) -> Iterator[bytes]:
        """Yield the bytes of a zip of these members, and of their checksums."""
        with zipfile.ZipFile(self._sink, "w") as archive:
            for name, blocks in members:
                yield from self._member(archive, name, blocks)
            checksums = json.dumps(self._checksums, indent=1).encode()
            yield from self._member(archive, CHECKSUMS, iter([checksums]))
        yield self._sink.taken()

    def _member(self, archive: zipfile.ZipFile, name: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
        digest, size = hashlib.sha256(), 0
        with archive.open(zipfile.ZipInfo(name, _MOMENT), "w", force_zip64=True) as member:
            for block in blocks:
                member.write(block)
                digest.update(block)
                size += len(block)
                yield self._sink.taken()
        self._checksums[name] = {"sha256": digest.hexdigest(), "size": size}
        yield self._sink.taken()


def _blocks(file: Readable) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block
