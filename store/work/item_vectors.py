"""Vectors of answered items, kept in half precision for the life of their job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Column, Connection, insert, select

from core.jobs import Chunk
from core.twins import sketches
from core.vectors import Vector, Vectors
from store import tables as t
from store.database import Database
from store.work.rows import overlaps

COMPONENT = np.dtype("<f2")  # little-endian, so that stored vectors are portable


@dataclass(frozen=True, slots=True)
class PackedVectors:
    """The vectors of a chunk's items, as `pack_half` makes them."""

    wholes: bytes
    crops: bytes | None
    """Of each item those of all its crops; None where tiles are not looked at."""


def pack_half(vectors: Sequence[Vector | None]) -> bytes | None:
    """Return vectors as float16 bytes, zeros in the place of None; None if there is no vector."""
    dim = next((len(vector) for vector in vectors if vector is not None), None)
    if dim is None:
        return None
    nothing = np.zeros(dim, COMPONENT)
    rows = [nothing if vector is None else vector.astype(COMPONENT) for vector in vectors]
    return np.stack(rows).tobytes()


def pack_items(wholes: Sequence[Vector | None], crops: Sequence[Vectors | None]) -> PackedVectors | None:
    """Pack the vectors (d,) and (c, d) of pictures and of their crops; None if there is no vector."""
    packed = pack_half(wholes)
    if packed is None:
        return None
    return PackedVectors(packed, pack_half([None if one is None else one.ravel() for one in crops]))


def keep_item_vectors(connection: Connection, kept: Sequence[tuple[Chunk, PackedVectors]]) -> None:
    """Write the packed vectors of chunks that the transaction settles."""
    if not kept:
        return
    connection.execute(
        insert(t.item_vectors),
        [
            {
                "chunk_id": chunk.id,
                "job_id": chunk.job_id,
                "first_item": chunk.items[0].index,
                "size": len(chunk.items),
                "encoder": chunk.encoder,
                "vectors": packed.wholes,
                "crops": packed.crops,
            }
            for chunk, packed in kept
        ],
    )


class ItemVectors:
    """The vectors of the items of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def between(self, job_id: str, first: int, end: int, encoder: str) -> dict[int, Vector]:
        """Return an encoder's vectors of the items from `first` up to `end`, by item."""
        found: dict[int, Vector] = {}
        for at, vectors in self._kept(t.item_vectors.c.vectors, job_id, first, end, encoder):
            lengths = np.linalg.norm(vectors, axis=1)
            for number in np.flatnonzero(lengths):
                item = at + int(number)
                if first <= item < end:
                    found[item] = vectors[number] / lengths[number]
        return found

    def tiles_between(
        self, job_id: str, first: int, end: int, encoder: str
    ) -> dict[int, tuple[Vector, Vectors]]:
        """Return the same with (c, d), the vectors of the crops, of the items that have both."""
        wholes = self.between(job_id, first, end, encoder)
        found: dict[int, tuple[Vector, Vectors]] = {}
        for at, rows in self._kept(t.item_vectors.c.crops, job_id, first, end, encoder):
            for number in np.flatnonzero(rows.any(axis=1)):
                whole = wholes.get(at + int(number))
                if whole is not None:
                    crops = rows[number].reshape(-1, len(whole))
                    found[at + int(number)] = whole, crops / np.linalg.norm(crops, axis=1, keepdims=True)
        return found

    def _kept(
        self, column: Column[bytes | None], job_id: str, first: int, end: int, encoder: str
    ) -> Iterator[tuple[int, Vectors]]:
        """Yield the unpacked rows of chunks, each with its first item."""
        kept = t.item_vectors.c
        rows = (
            select(kept.first_item, kept.size, column.label("packed"))
            .where(overlaps(t.item_vectors, job_id, first, end), kept.encoder == encoder, column.is_not(None))
            .order_by(kept.chunk_id)
        )
        with self._database.read() as connection:
            found = connection.execute(rows).all()
        for row in found:
            yield row.first_item, _unpack(row.packed, row.size)

    def encoders(self, job_id: str) -> Sequence[str]:
        """Return the encoders whose vectors of a job are kept."""
        with self._database.read() as connection:
            return encoders_of(connection, job_id)


def sketches_of(connection: Connection, job_id: str) -> dict[int, Vector]:
    """Return sketches of the vectors of a job's items, by item, all of the encoder that was used last."""
    kept = t.item_vectors.c
    of_job = kept.job_id == job_id
    last = select(kept.encoder).where(of_job).order_by(kept.chunk_id.desc()).limit(1).scalar_subquery()
    rows = (
        select(kept.first_item, kept.size, kept.vectors)
        .where(of_job, kept.encoder == last)
        .order_by(kept.chunk_id)
        .execution_options(yield_per=50)
    )
    found: dict[int, Vector] = {}
    for row in connection.execute(rows):
        vectors = _unpack(row.vectors, row.size)
        there = np.flatnonzero(vectors.any(axis=1))
        found.update(zip((row.first_item + there).tolist(), sketches(vectors[there]), strict=True))
    return found


def encoders_of(connection: Connection, job_id: str) -> Sequence[str]:
    """Return the encoders whose vectors of a job are kept."""
    kept = t.item_vectors.c
    found = select(kept.encoder).where(kept.job_id == job_id).distinct().order_by(kept.encoder)
    return connection.execute(found).scalars().all()


def _unpack(packed: bytes, size: int) -> Vectors:
    half: npt.NDArray[np.float16] = np.frombuffer(packed, COMPONENT).reshape(size, -1)
    return half.astype(np.float32)
