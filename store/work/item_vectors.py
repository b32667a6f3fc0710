"""Vectors of answered items, kept in half precision for the life of their job."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, insert, select

from core.twins import sketches
from core.types import Chunk
from core.vectors import Vector, Vectors
from store import tables as t
from store.database import Database
from store.work.rows import overlaps

COMPONENT = np.dtype("<f2")  # little-endian, so that stored vectors are portable


def pack_half(vectors: Sequence[Vector | None]) -> bytes | None:
    """Return vectors as float16 bytes, zeros in the place of None; None if there is no vector."""
    dim = next((len(vector) for vector in vectors if vector is not None), None)
    if dim is None:
        return None
    nothing = np.zeros(dim, COMPONENT)
    rows = [nothing if vector is None else vector.astype(COMPONENT) for vector in vectors]
    return np.stack(rows).tobytes()


def keep_item_vectors(connection: Connection, kept: Sequence[tuple[Chunk, bytes]]) -> None:
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
                "vectors": packed,
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
        kept = t.item_vectors.c
        rows = (
            select(kept.first_item, kept.size, kept.vectors)
            .where(overlaps(t.item_vectors, job_id, first, end), kept.encoder == encoder)
            .order_by(kept.chunk_id)
        )
        found: dict[int, Vector] = {}
        with self._database.read() as connection:
            for row in connection.execute(rows):
                vectors = _unpack(row.vectors, row.size)
                lengths = np.linalg.norm(vectors, axis=1)
                for number in np.flatnonzero(lengths):
                    item = row.first_item + int(number)
                    if first <= item < end:
                        found[item] = vectors[number] / lengths[number]
        return found

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
