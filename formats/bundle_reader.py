"""Reading a collection's file that a stranger may have made: checked whole before any of it is believed."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import IO, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.caller_fields import CallersId, check_metadata
from core.errors import ExemplarError
from core.label_sets import LabelSet
from core.settings import Settings
from core.vectors import is_unit
from formats.archives import DIRECTORY_BYTES, MANIFEST_BYTES, SLACK_BYTES
from formats.bounded_reader import Guarded, Seekable
from formats.bundle import (
    BLOCK,
    CHECKSUMS,
    CLASSES,
    IDS,
    MANIFEST,
    PICTURES,
    ROWS,
    TYPES,
    VECTORS,
    BundleSupport,
    Manifest,
)
from formats.bundle_classes import check_classes
from formats.zip_directory import check_entries

MEMBERS = (MANIFEST, *TYPES, ROWS, CHECKSUMS)
LINE_BYTES = 64 << 10
HEADER_BYTES = 10_000
_PICTURE = re.compile(r"pictures/[0-9a-f]{64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class _Checksum(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sha256: str
    size: int


LAST_S = 253_402_300_799.0  # the end of the year 9999, in seconds of 1970


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    label: str | None = None
    labels: list[str] | None = None
    complete: bool = False
    external_id: CallersId | None
    metadata: dict[str, Any]
    picture: str = Field(pattern=_DIGEST.pattern)
    created_at: float = Field(ge=0, le=LAST_S)


class Bundle:
    """A collection's file; opening reads the manifest, `verify` all of it.

    Both raise `bundle_invalid` where it is something else, and `bundle_damaged` where bytes have changed.
    """

    def __init__(self, file: Seekable, *, max_supports: int, max_picture_bytes: int) -> None:
        self._guard = Guarded(file)
        self._max_picture_bytes = max_picture_bytes
        self._guard.allow(DIRECTORY_BYTES)
        try:
            check_entries(self._guard, max_items=max_supports + len(MEMBERS))
            self._guard.allow(DIRECTORY_BYTES)
            self._zip = zipfile.ZipFile(self._guard)
        except ExemplarError:
            raise
        except Exception as error:  # the boundary to untrusted bytes: zipfile raises anything
            raise _invalid(f"expected the file of a collection, a zip: {error}") from error
        self._infos = self._checked_members()
        self.manifest = self._manifest()
        self._label_sets = self.manifest.label_sets()
        if self.manifest.supports > max_supports:
            raise _invalid(f"expected at most {max_supports} supports, got {self.manifest.supports}")

    @property
    def has_pictures(self) -> bool:
        """Whether any picture came along."""
        return len(self._infos) > len(MEMBERS)

    def verify(self, step: Callable[[], None] = lambda: None) -> None:
        """Check every byte and every support; calls `step` now and then."""
        self._verify_checksums(step)
        count = 0
        for count, one in enumerate(self.supports(), start=1):  # noqa: B007 - read below
            vector = np.frombuffer(one.vector, TYPES[VECTORS])
            if not is_unit(vector):
                raise _invalid(f"support {one.id}: expected a finite vector of unit length")
            if one.id <= 0:
                raise _invalid(f"expected positive ids, got {one.id}")
            step()
        if count != self.manifest.supports:
            raise _invalid(f"expected {self.manifest.supports} supports, got {count}")

    def supports(self, start: int = 0) -> Iterator[BundleSupport]:
        """Yield supports from number `start` on, in their order; raises for one that is unfit."""
        try:
            yield from self._supports(start)
        except (zipfile.BadZipFile, EOFError) as error:  # zipfile checks a member's sum at its end
            raise _damaged("supports/") from error

    def _supports(self, start: int) -> Iterator[BundleSupport]:
        n, dim = self.manifest.supports, self.manifest.encoder.dim
        with ExitStack() as stack:
            ids = stack.enter_context(self._opened(IDS, (n,)))
            places = stack.enter_context(self._opened(CLASSES, (n,)))
            vectors = stack.enter_context(self._opened(VECTORS, (n, dim)))
            rows = stack.enter_context(self._open(ROWS))
            for file, size in ((ids, 8), (places, 4), (vectors, 4 * dim)):
                self._guard.allow(start * size + SLACK_BYTES)
                file.seek(start * size, 1)
            for number in range(n):
                self._guard.allow(LINE_BYTES + 4 * dim + SLACK_BYTES)
                line = rows.readline(LINE_BYTES)
                if number < start:
                    continue
                row = self._row(number, line)
                place = int.from_bytes(places.read(4), "little", signed=True)
                if not 0 <= place < len(self.manifest.classes):
                    raise _invalid(f"row {number}: expected a class of the manifest, got number {place}")
                labels = self._labels_at(number, place, row)
                yield BundleSupport(
                    int.from_bytes(ids.read(8), "little", signed=True),
                    place,
                    vectors.read(4 * dim),
                    row.label,
                    row.picture,
                    row.external_id,
                    row.metadata,
                    row.created_at,
                    labels,
                )

    def _labels_at(self, number: int, place: int, row: _Row) -> LabelSet | None:
        """Return the label set of a row, None for a class; raises where the row says something else."""
        expected = self._label_sets[place]
        if expected is None:
            if self.manifest.classes[place].label != row.label or row.labels is not None:
                raise _invalid(f"row {number}: {row.label!r:.100} is not the label of class {place}")
            return None
        said = None if row.labels is None else LabelSet(tuple(row.labels), row.complete)
        if row.label is not None or said != expected:
            raise _invalid(f"row {number}: {row.labels!r:.100} are not the labels of class {place}")
        return expected

    def picture(self, digest: str) -> bytes | None:
        """Return a picture's bytes, None where it did not come along; raises `bundle_damaged`."""
        if PICTURES + digest not in self._infos:
            return None
        content = self._whole(PICTURES + digest, self._max_picture_bytes)
        if hashlib.sha256(content).hexdigest() != digest:
            raise _damaged(PICTURES + digest)
        return content

    def picture_size(self, digest: str) -> int:
        """Return how many bytes a picture has, 0 where it did not come along."""
        info = self._infos.get(PICTURES + digest)
        return 0 if info is None else info.file_size

    def _checked_members(self) -> dict[str, zipfile.ZipInfo]:
        infos: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = info.filename
            if name in infos or (name not in MEMBERS and _PICTURE.fullmatch(name) is None):
                raise _invalid(f"expected {', '.join(MEMBERS)} and pictures, each once, got {name!r:.200}")
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                raise _invalid(f"{name}: expected a member that is stored as it is")
            if info.file_size != info.compress_size:
                raise _invalid(f"{name}: expected {info.file_size} bytes, got {info.compress_size}")
            infos[name] = info
        missing = [name for name in MEMBERS if name not in infos]
        if missing:
            raise _invalid(f"expected the file of a collection, this has no {', '.join(missing)}")
        return infos

    def _manifest(self) -> Manifest:
        try:
            manifest = Manifest.model_validate_json(self._whole(MANIFEST, MANIFEST_BYTES))
            check_classes(manifest)
        except ValidationError as error:
            first = error.errors()[0]
            place = "/".join(str(part) for part in first["loc"])
            raise _invalid(f"manifest.json: {place}: {first['msg']}"[:300]) from error
        except ExemplarError as error:
            raise _invalid(f"manifest.json: {error.message}") from error
        return manifest

    def _verify_checksums(self, step: Callable[[], None]) -> None:
        try:
            raw = json.loads(self._whole(CHECKSUMS, MANIFEST_BYTES))
            checksums = {name: _Checksum.model_validate(one) for name, one in raw.items()}
        except (ValueError, AttributeError) as error:
            raise _invalid(f"checksums.json: {error}"[:300]) from error
        if checksums.keys() != self._infos.keys() - {CHECKSUMS}:
            raise _damaged(CHECKSUMS)
        for name, expected in checksums.items():
            digest = hashlib.sha256()
            with self._open(name) as member:
                for block in self._blocks(name, member):
                    digest.update(block)
                    step()
            if digest.hexdigest() != expected.sha256 or self._infos[name].file_size != expected.size:
                raise _damaged(name)
            if name.startswith(PICTURES) and expected.sha256 != name.removeprefix(PICTURES):
                raise _invalid(f"{name}: expected a picture under its SHA-256")
            if name.startswith(PICTURES) and expected.size > self._max_picture_bytes:
                raise _invalid(f"{name}: expected at most {self._max_picture_bytes} bytes")

    def _row(self, number: int, line: bytes) -> _Row:
        try:
            row = _Row.model_validate_json(line)
            check_metadata(row.metadata)
        except (ValidationError, ExemplarError) as error:
            said = error.message if isinstance(error, ExemplarError) else error.errors()[0]["msg"]
            raise _invalid(f"rows.jsonl, line {number + 1}: {said}"[:300]) from error
        return row

    def _opened(self, name: str, shape: tuple[int, ...]) -> IO[bytes]:
        """Open an array where its first element begins."""
        member = self._open(name)
        try:
            version = np.lib.format.read_magic(member)
            if version != (1, 0):
                raise ValueError(f"expected the format 1.0, got {version}")
            found, fortran, type_ = np.lib.format.read_array_header_1_0(member, max_header_size=HEADER_BYTES)
        except ValueError as error:
            raise _invalid(f"{name}: {error}"[:300]) from error
        if found != shape or fortran or type_ != TYPES[name]:
            raise _invalid(f"{name}: expected {TYPES[name].name} of {shape}, got {type_} of {found}"[:300])
        if self._infos[name].file_size != member.tell() + type_.itemsize * int(np.prod(shape)):
            raise _invalid(f"{name}: expected as many bytes as its shape says")
        return member

    def _open(self, name: str) -> IO[bytes]:
        self._guard.allow(SLACK_BYTES)
        try:
            return self._zip.open(self._infos[name])
        except Exception as error:  # the boundary to untrusted bytes: zipfile raises anything
            raise _damaged(name) from error

    def _blocks(self, name: str, member: IO[bytes]) -> Iterator[bytes]:
        while True:
            self._guard.allow(BLOCK + SLACK_BYTES)
            try:
                block = member.read(BLOCK)
            except (zipfile.BadZipFile, EOFError) as error:
                raise _damaged(name) from error
            if not block:
                return
            yield block

    def _whole(self, name: str, most: int) -> bytes:
        if self._infos[name].file_size > most:
            raise _invalid(f"{name}: expected at most {most} bytes, got {self._infos[name].file_size}")
        with self._open(name) as member:
            return b"".join(self._blocks(name, member))


def open_bundle(file: Seekable, settings: Settings) -> Bundle:
    """Open a collection's file within the bounds of the settings."""
    return Bundle(file, max_supports=settings.bulk_max_items, max_picture_bytes=settings.max_picture_bytes)


def _invalid(message: str) -> ExemplarError:
    return ExemplarError("bundle_invalid", message)


def _damaged(name: str) -> ExemplarError:
    return ExemplarError("bundle_damaged", f"{name}: its bytes are not those that were written")
