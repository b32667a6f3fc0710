"""Embeddings: vectors of pictures and texts as results for callers."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace

from core.errors import ExemplarError
from core.jobs import Item
from core.results import Result, done_result, failed_result
from core.vectors import Vector, is_unit, pack_vector
from encoders import Encoder
from store.work.settlement import Settlement
from worker.embedding import Embedded, EmbeddedChunk
from worker.tools import Tools

Made = Vector | ExemplarError


def embeddings(_: Tools, encoder: Encoder, chunks: Sequence[EmbeddedChunk]) -> list[Settlement]:
    """Return a vector or an error for each item; the texts of all chunks are embedded together."""
    return [
        Settlement(chunk, [_result(encoder, picture.loaded.item, picture.made) for picture in pictures])
        for chunk, pictures in with_texts(encoder, chunks)
    ]


def with_texts(encoder: Encoder, chunks: Sequence[EmbeddedChunk]) -> Sequence[EmbeddedChunk]:
    """Return chunks with the vector, or an error, of each item that is a text."""
    items = [picture.loaded.item for _, pictures in chunks for picture in pictures]
    texts = [item.text for item in items if item.text is not None]
    if not texts:
        return chunks
    read = iter(_read(encoder, texts))
    return [
        (chunk, [replace(picture, made=_made(picture, read)) for picture in pictures])
        for chunk, pictures in chunks
    ]


def _read(encoder: Encoder, texts: Sequence[str]) -> Sequence[Made]:
    """Return the vectors of texts, or an error in the place of each."""
    try:
        return list(encoder.embed_texts(texts)) if texts else []
    except ExemplarError as error:
        if error.retry:
            raise
        return [error] * len(texts)


def _made(picture: Embedded, read: Iterator[Made]) -> Made:
    """Return the vector or error of an item; that of a text is the next of those embedded."""
    if picture.loaded.item.text is not None:
        vector = next(read)
        if isinstance(vector, ExemplarError) or is_unit(vector):
            return vector
        return ExemplarError("vector_invalid", "the encoder gave no finite vector for this input")
    return picture.made


def _result(encoder: Encoder, item: Item, made: Made) -> Result:
    """Return the result of one item: its vector as base64 of little-endian float32."""
    if isinstance(made, ExemplarError):
        return failed_result(item, made)
    vector = base64.b64encode(pack_vector(made)).decode()
    return done_result(item, {"embedding": vector, "encoder": encoder.spec})
