"""Embeddings: the vectors of pictures and texts, as results that callers take away."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from core.errors import ExemplarError
from core.results import Result, failed_result
from core.types import Item
from core.vectors import Vector, is_unit, pack_vector
from encoders import Encoder


def read_texts(encoder: Encoder, items: Sequence[Item]) -> dict[int, Vector | ExemplarError]:
    """Return the vectors of those items that are texts, by `id`, or the error that stands in its place."""
    texts = {id(item): item.text for item in items if item.text is not None}
    try:
        return dict(zip(texts, encoder.embed_texts(list(texts.values())), strict=True)) if texts else {}
    except ExemplarError as error:
        if error.retry:
            raise
        return dict.fromkeys(texts, error)


def embedding_result(encoder: Encoder, item: Item, made: Vector | ExemplarError) -> Result:
    """Return the result of one item: its vector as base64 of little-endian float32."""
    if isinstance(made, ExemplarError):
        return failed_result(item, made)
    if not is_unit(made):
        return failed_result(
            item, ExemplarError("vector_unfit", "the encoder gave no finite vector for this")
        )
    return {
        "item": item.index,
        "custom_id": item.custom_id,
        "status": "done",
        "embedding": base64.b64encode(pack_vector(made)).decode(),
        "encoder": encoder.spec,
    }
