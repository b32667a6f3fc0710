"""Embedding: the pictures of loaded chunks to unit vectors, in batches of the encoder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import ExemplarError
from core.types import Chunk
from core.vectors import Vector, is_unit
from encoders import Encoder
from worker.load import Loaded, LoadedChunk
from worker.tools import Tools


@dataclass(frozen=True, slots=True)
class Embedded:
    """A loaded picture with its unit vector, or with an error in its place."""

    loaded: Loaded
    made: Vector | ExemplarError
    embed_ms: float


EmbeddedChunk = tuple[Chunk, list[Embedded]]
"""A claimed chunk with its embedded pictures."""


def embed(tools: Tools, encoder: Encoder, chunks: Sequence[LoadedChunk]) -> list[EmbeddedChunk]:
    """Embed the pictures of chunks in batches."""
    pictures = [picture for chunk in chunks for picture in chunk.pictures]
    embedded: list[Embedded] = []
    for at in range(0, len(pictures), encoder.batch_size):
        batch = pictures[at : at + encoder.batch_size]
        tools.watch.metrics.batch.observe(len(batch))
        with tools.watch.stage("embed", [loaded.chunk for loaded in chunks]):
            embedded += _embed(encoder, batch)
    of_chunk: list[EmbeddedChunk] = []
    for loaded in chunks:
        of_chunk.append((loaded.chunk, embedded[: len(loaded.pictures)]))
        embedded = embedded[len(loaded.pictures) :]
    return of_chunk


def _embed(encoder: Encoder, pictures: Sequence[Loaded]) -> list[Embedded]:
    start = time.perf_counter()
    prepared = [picture.prepared for picture in pictures if picture.prepared is not None]
    vectors = iter(encoder.embed(prepared) if prepared else ())
    embed_ms = (time.perf_counter() - start) * 1000
    return [
        _embedded(picture, None if picture.prepared is None else next(vectors), embed_ms)
        for picture in pictures
    ]


def _embedded(loaded: Loaded, vector: Vector | None, embed_ms: float) -> Embedded:
    if loaded.error is not None:
        return Embedded(loaded, loaded.error, embed_ms)
    if vector is None or not is_unit(vector):
        detail = "the encoder gave no finite vector for this picture; try another picture"
        return Embedded(loaded, ExemplarError("vector_invalid", detail), embed_ms)
    return Embedded(loaded, vector, embed_ms)
