"""Loading: the pictures of claimed chunks decoded, ready for the encoder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

import structlog

from core.collections import Views
from core.errors import ExemplarError, error_of
from core.jobs import Chunk, Item
from core.picture_quality import Measures, measure
from core.pictures import decode_picture, make_thumbnail
from encoders import Encoder, Prepared
from encoders.tiles import draft_side_of_tiles, prepare_crops
from formats.remote_errors import REMOTE_UNAVAILABLE
from store.blobs import PICTURES, THUMBNAILS
from store.work.kinds import KINDS
from worker.content import read_content
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")

FIRST_PAUSE_S, PAUSE_GROWTH = 10.0, 6.0  # 10 s, 1 min, 6 min: four attempts take seven minutes


@dataclass(frozen=True, slots=True)
class Loaded:
    """A picture prepared for the encoder, or an error in its place."""

    item: Item
    prepared: Prepared | None
    thumbnail: str
    decode_ms: float
    error: ExemplarError | None
    crops: tuple[Prepared, ...] = ()
    """Of a picture whose tiles are embedded."""
    measures: Measures | None = None
    """Of a picture that carries a label."""

    @property
    def parts(self) -> tuple[Prepared, ...]:
        """What the encoder embeds: nothing, the picture, or the picture and its crops."""
        return () if self.prepared is None else (self.prepared, *self.crops)


@dataclass(frozen=True, slots=True)
class LoadedChunk:
    """A claimed chunk with its pictures."""

    chunk: Chunk
    pictures: Sequence[Loaded]


@dataclass(frozen=True, slots=True)
class _Asked:
    """An item to load, and its bytes if they are read ahead."""

    chunk: Chunk
    item: Item
    ahead: Future[bytes] | None


def load(tools: Tools, encoder: Encoder, claimed: Sequence[Chunk]) -> list[LoadedChunk]:
    """Decode the pictures of chunks; a broken picture becomes an error.

    A chunk whose remote place does not answer is deferred and left out; after some
    attempts its pictures fail. Raises errors to be retried later: `blobs_unavailable`.
    """
    asked = [(chunk, [_ask(tools, chunk, item) for item in chunk.items]) for chunk in claimed]
    waiting = [
        (chunk, [tools.decoders.submit(_load_one, tools, encoder, one) for one in items], items)
        for chunk, items in asked
    ]
    loaded = (_loaded(tools, chunk, futures, items) for chunk, futures, items in waiting)
    return [chunk for chunk in loaded if chunk is not None]


def _ask(tools: Tools, chunk: Chunk, item: Item) -> _Asked:
    """Begin to read a picture of object storage; others are read where they are decoded."""
    place = item.place
    if place is None or item.problem is not None or place.startswith(("pack:", "file:")):
        return _Asked(chunk, item, None)
    return _Asked(chunk, item, tools.readers.submit(read_content, tools.store, tools.settings, chunk, item))


def _loaded(
    tools: Tools, chunk: Chunk, futures: Sequence[Future[Loaded]], items: Sequence[_Asked]
) -> LoadedChunk | None:
    try:
        return LoadedChunk(chunk, [future.result() for future in futures])
    except ExemplarError as error:
        if error.code != REMOTE_UNAVAILABLE:
            raise
        for one, future in zip(items, futures, strict=True):  # each may wait for the same place
            future.cancel()
            if one.ahead is not None:
                one.ahead.cancel()
        pause_s = FIRST_PAUSE_S * PAUSE_GROWTH ** (chunk.attempts - 1)
        log.warning(error.code, chunk=chunk.id, error=error.message, pause_s=pause_s)
        tools.store.chunks.defer(tools.owner, chunk, pause_s)
        tools.watch.requeued([chunk], f"{error.code}: {error.message}")
        return None


def _load_one(tools: Tools, encoder: Encoder, asked: _Asked) -> Loaded:
    chunk, item = asked.chunk, asked.item
    if not KINDS[chunk.kind].has_pictures or item.text is not None:
        return Loaded(item, None, "", 0.0, None)
    start = time.perf_counter()
    if item.problem is not None:
        return Loaded(item, None, "", 0.0, error_of(item.problem))
    try:
        return _load(tools, encoder, asked, start)
    except ExemplarError as error:
        is_last = error.code == REMOTE_UNAVAILABLE and chunk.attempts >= tools.settings.max_attempts
        if error.retry and not is_last:
            raise
        return Loaded(item, None, "", _ms_since(start), error)


def _load(tools: Tools, encoder: Encoder, asked: _Asked, start: float) -> Loaded:
    chunk, item, stage = asked.chunk, asked.item, tools.watch.stage
    # supports have one vector, and neighbours of a search are those of the whole picture
    in_tiles = chunk.views is Views.TILES and KINDS[chunk.kind].decides
    with stage("fetch"):
        if asked.ahead is not None:
            content = asked.ahead.result()
        else:
            content = read_content(tools.store, tools.settings, chunk, item)
    tools.hold()
    with stage("decode"):
        picture = decode_picture(
            content,
            max_pixels=tools.settings.max_pixels,
            draft_side=draft_side_of_tiles(encoder) if in_tiles else encoder.draft_side,
            formats_off=tools.settings.formats_off,
        )
    thumbnail = ""
    kind = KINDS[chunk.kind]
    if kind.enrols and kind.keeps_pictures:
        thumbnail = tools.store.blobs.put(THUMBNAILS, make_thumbnail(picture))
        if item.place is not None:  # supports keep their pictures, which a reindex embeds again
            item = replace(item, picture=tools.store.blobs.put(PICTURES, content))
    with stage("prepare"):
        prepared = encoder.prepare(picture, chunk.views)
        crops = prepare_crops(encoder, picture) if in_tiles else ()
    measures = measure(picture) if kind.enrols else None
    return Loaded(item, prepared, thumbnail, _ms_since(start), None, crops, measures)


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
