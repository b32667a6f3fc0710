"""Loading: the pictures of claimed chunks decoded, ready for the encoder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.errors import ExemplarError, error_of
from core.pictures import decode_picture, make_thumbnail
from core.types import Chunk, Item, JobKind
from encoders import Encoder, Prepared
from store.blobs import PICTURES, THUMBNAILS
from worker.content import read_content
from worker.tools import Tools


@dataclass(frozen=True, slots=True)
class Loaded:
    """A picture as the encoder wants it, or the error that stands in its place."""

    item: Item
    prepared: Prepared | None
    thumbnail: str
    decode_ms: float
    error: ExemplarError | None


@dataclass(frozen=True, slots=True)
class LoadedChunk:
    """A claimed chunk with its pictures."""

    chunk: Chunk
    pictures: Sequence[Loaded]


def load(tools: Tools, encoder: Encoder, claimed: Sequence[Chunk]) -> list[LoadedChunk]:
    """Decode the pictures of chunks; a picture that is broken carries its error.

    Raises what may be better another time: `blobs_unavailable`.
    """
    waiting = [
        (chunk, [tools.decoders.submit(_load_one, tools, encoder, chunk, item) for item in chunk.items])
        for chunk in claimed
    ]
    return [LoadedChunk(chunk, [future.result() for future in futures]) for chunk, futures in waiting]


def _load_one(tools: Tools, encoder: Encoder, chunk: Chunk, item: Item) -> Loaded:
    if chunk.kind in (JobKind.REPORT, JobKind.COMPARE) or item.text is not None:  # there is no picture
        return Loaded(item, None, "", 0.0, None)
    start = time.perf_counter()
    if item.problem is not None:
        return Loaded(item, None, "", 0.0, error_of(item.problem))
    try:
        return _load(tools, encoder, chunk, item, start)
    except ExemplarError as error:
        if error.retry:
            raise
        return Loaded(item, None, "", _ms_since(start), error)


def _load(tools: Tools, encoder: Encoder, chunk: Chunk, item: Item, start: float) -> Loaded:
    content = read_content(tools.store, tools.settings, chunk, item)
    picture = decode_picture(content, max_pixels=tools.settings.max_pixels, draft_side=encoder.draft_side)
    thumbnail = ""
    if chunk.kind is JobKind.ENROLL:
        thumbnail = tools.store.blobs.put(THUMBNAILS, make_thumbnail(picture))
        if item.place is not None:  # a support keeps its picture; a change of encoder embeds it again
            item = replace(item, picture=tools.store.blobs.put(PICTURES, content))
    return Loaded(item, encoder.prepare(picture, chunk.views), thumbnail, _ms_since(start), None)


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
