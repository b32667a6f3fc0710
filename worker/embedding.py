"""Embedding: the pictures of loaded chunks to unit vectors, in batches of the encoder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import ExemplarError
from core.jobs import Chunk
from core.vectors import Vector, Vectors, is_unit
from encoders import Encoder
from worker.load import Loaded, LoadedChunk
from worker.tools import Tools


@dataclass(frozen=True, slots=True)
class Embedded:
    """A loaded picture with its unit vector, or with an error in its place."""

    loaded: Loaded
    made: Vector | ExemplarError
    embed_ms: float
    crops: Vectors | None = None
    """(c, d), the vectors of its crops, if they are looked at."""


EmbeddedChunk = tuple[Chunk, list[Embedded]]
"""A claimed chunk with its embedded pictures."""


def embed(tools: Tools, encoder: Encoder, chunks: Sequence[LoadedChunk]) -> list[EmbeddedChunk]:
    """Embed the pictures of chunks in batches."""
    embedded: list[Embedded] = []
    for batch in _batches([picture for chunk in chunks for picture in chunk.pictures], encoder.batch_size):
        tools.watch.metrics.batch.observe(len(batch))
        with tools.watch.stage("embed", [loaded.chunk for loaded in chunks]):
            embedded += _embed(encoder, batch)
    of_chunk: list[EmbeddedChunk] = []
    for loaded in chunks:
        of_chunk.append((loaded.chunk, embedded[: len(loaded.pictures)]))
        embedded = embedded[len(loaded.pictures) :]
    return of_chunk


def _batches(pictures: Sequence[Loaded], most: int) -> Iterator[list[Loaded]]:
    """Yield pictures of at most so many parts together, and one picture at least."""
    batch: list[Loaded] = []
    parts = 0
    for picture in pictures:
        size = max(len(picture.parts), 1)
        if batch and parts + size > most:
            yield batch
            batch, parts = [], 0
        batch.append(picture)
        parts += size
    if batch:
        yield batch


def _embed(encoder: Encoder, pictures: Sequence[Loaded]) -> list[Embedded]:
    start = time.perf_counter()
    prepared = [part for picture in pictures for part in picture.parts]
    vectors = encoder.embed(prepared) if prepared else np.empty((0, 0), np.float32)
    embed_ms = (time.perf_counter() - start) * 1000
    ends = np.cumsum([len(picture.parts) for picture in pictures]).tolist()
    return [
        _embedded(picture, vectors[end - len(picture.parts) : end], embed_ms)
        for picture, end in zip(pictures, ends, strict=True)
    ]


def _embedded(loaded: Loaded, vectors: Vectors, embed_ms: float) -> Embedded:
    if loaded.error is not None:
        return Embedded(loaded, loaded.error, embed_ms)
    if not len(vectors) or not all(map(is_unit, vectors)):
        detail = "the encoder gave no finite vector for this picture; try another picture"
        return Embedded(loaded, ExemplarError("vector_invalid", detail), embed_ms)
    return Embedded(loaded, vectors[0], embed_ms, vectors[1:] if loaded.crops else None)
