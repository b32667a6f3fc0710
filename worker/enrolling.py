"""Enrolling: embedded pictures to the supports written when their chunk is settled; checks before that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from core.collections import Collection, IndexName, Labels
from core.errors import ExemplarError
from core.jobs import Chunk, Item, JobKind
from core.picture_quality import findings_of
from core.quality import Finding, Quality
from core.results import Result, done_result, failed_result
from encoders import Encoder
from index.door import examine
from index.replica import Replica
from index.replicas import ENCODER_CHANGED
from store.record.enrolment import Enrolment
from store.work.item_vectors import pack_items
from store.work.settlement import Settlement
from worker.current import current_replica
from worker.embedding import Embedded, EmbeddedChunk
from worker.tools import Tools

Found = tuple[Finding, ...]
NOTHING: Found = ()


def enrolments(tools: Tools, encoder: Encoder, chunks: Sequence[EmbeddedChunk]) -> list[Settlement]:
    """Return the enrolments of chunks of one collection and kind, with errors for what is refused.

    Raises `encoder_changed`.
    """
    if chunks[0][0].kind is JobKind.REINDEX:
        return [Settlement(chunk, [_enrolment(one, NOTHING) for one in some]) for chunk, some in chunks]
    collection, found = _examined(tools, encoder, chunks)
    settlements = []
    for chunk, pictures in chunks:
        # a person has looked at a picture that a review enrols
        quality = Quality() if collection is None or chunk.target else collection.quality
        outcomes = [_outcome(chunk, one, next(found), quality) for one in pictures]
        settlements.append(Settlement(chunk, outcomes, vectors=_kept(tools, chunk, pictures)))
    return settlements


def _examined(
    tools: Tools, encoder: Encoder, chunks: Sequence[EmbeddedChunk]
) -> tuple[Collection | None, Iterator[Found]]:
    """Return the collection, None if it is gone, and what is wrong with each picture."""
    first = chunks[0][0]
    pictures = [picture for _, some in chunks for picture in some]
    collection = tools.store.collections.current(first.collection_id or 0)
    if collection is None:
        return None, iter([NOTHING] * len(pictures))
    compared = _compared(tools, encoder, first, collection, pictures)
    quality = collection.quality
    return collection, iter(
        [
            (() if one.loaded.measures is None else findings_of(one.loaded.measures, quality))
            + compared.get(place, NOTHING)
            for place, one in enumerate(pictures)
        ]
    )


def _compared(
    tools: Tools, encoder: Encoder, chunk: Chunk, collection: Collection, pictures: Sequence[Embedded]
) -> Mapping[int, Found]:
    """Compare pictures with the supports that are there; return what is wrong, by their place.

    Not where a picture may have several labels, and not with vectors that are in Milvus.
    """
    there = [
        (place, one.made, _label(one.loaded.item))
        for place, one in enumerate(pictures)
        if not isinstance(one.made, ExemplarError)
    ]
    if collection.labels is Labels.MANY or collection.index.name is IndexName.MILVUS or not there:
        return {}
    try:
        replica, _ = current_replica(tools, encoder, chunk)
    except ExemplarError as error:
        if error.retry or error.code == ENCODER_CHANGED:
            raise
        return {}  # the collection is gone, as the settlement says
    if not isinstance(replica, Replica):
        return {}
    with tools.watch.stage("search", [chunk]):
        found = examine(
            replica,
            np.stack([vector for _, vector, _ in there]),
            [label for _, _, label in there],
            collection.quality,
        )
    return {place: findings for (place, _, _), findings in zip(there, found, strict=True)}


def _outcome(chunk: Chunk, picture: Embedded, findings: Found, quality: Quality) -> Result | Enrolment:
    item = picture.loaded.item
    if isinstance(picture.made, ExemplarError):
        return failed_result(item, picture.made)
    refused = quality.refuses(findings)
    shown = {"findings": [finding.as_json() for finding in findings]}
    if refused is not None:
        return {**failed_result(item, refused), **shown}
    if chunk.kind is JobKind.CHECK:
        return done_result(item, {**_said(item), **shown})
    return _enrolment(picture, findings)


def _enrolment(picture: Embedded, findings: Found) -> Result | Enrolment:
    item = picture.loaded.item
    if isinstance(picture.made, ExemplarError):
        return failed_result(item, picture.made)
    return Enrolment(item, picture.made, picture.loaded.thumbnail, findings=findings)


def _kept(tools: Tools, chunk: Chunk, pictures: Sequence[Embedded]) -> Any:
    """Return the vectors of checked pictures, packed, of which the effect on the answers is told."""
    if chunk.kind is not JobKind.CHECK or not tools.settings.keep_vectors:
        return None
    made = [None if isinstance(one.made, ExemplarError) else one.made for one in pictures]
    return pack_items(made, [None] * len(made))


def _label(item: Item) -> str:
    return item.labels[0] if item.labels else item.label or ""


def _said(item: Item) -> Mapping[str, Any]:
    """Return the fields of a checked picture's result that say its labels."""
    if item.labels is None or len(item.labels) == 1:
        return {"label": _label(item)}
    return {"labels": list(item.labels), "complete": item.complete}
