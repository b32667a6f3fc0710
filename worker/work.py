"""The work itself: loaded chunks -> vectors -> supports, answers or neighbours, settled in the record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
import structlog

from core.changes import ClassChange
from core.errors import ExemplarError, error_of
from core.results import Result, failed_result
from core.types import Chunk, Collection, JobKind, Lane, Rule
from core.vectors import Vector, Vectors, is_unit
from encoders import Encoder
from index.decide import Answer, classify, search
from index.replicas import ENCODER_CHANGED, AnyReplica
from store.blobs import uploads_of
from store.record.collections import collection_gone
from store.record.enrolment import Enrolment
from store.work.kinds import KINDS
from store.work.settlement import Settlement
from worker.compare import compare_encoders
from worker.embeddings import embedding_result, read_texts
from worker.kept import BEST, keep, pack
from worker.load import Loaded, LoadedChunk
from worker.report import report_on
from worker.texts import LABELS_UNREAD
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")


@dataclass(frozen=True, slots=True)
class _Answerer:
    """What gives each picture of a group its result, and keeps what smoothing needs of those done."""

    result: Callable[[Chunk, Seen], Result]
    keep: Callable[[Chunk, Sequence[Seen]], str | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """A loaded picture with its vector, or without one where it failed."""

    loaded: Loaded
    vector: Vector | None
    embed_ms: float


SeenChunk = tuple[Chunk, list[Seen]]
"""A claimed chunk with its embedded pictures."""


def embed(
    tools: Tools,
    encoder: Encoder,
    chunks: Sequence[LoadedChunk],
    *,
    between: Callable[[], None] | None = None,
) -> list[SeenChunk]:
    """Embed the pictures of chunks in batches, and call `between` before each where they are several."""
    pictures = [picture for chunk in chunks for picture in chunk.pictures]
    seen: list[Seen] = []
    for at in range(0, len(pictures), encoder.batch_size):
        if between is not None and len(pictures) > encoder.batch_size:
            between()
        batch = pictures[at : at + encoder.batch_size]
        tools.watch.metrics.batch.observe(len(batch))
        with tools.watch.stage("embed", [loaded.chunk for loaded in chunks]):
            seen += _embed(encoder, batch)
    of_chunk: list[SeenChunk] = []
    for loaded in chunks:
        of_chunk.append((loaded.chunk, seen[: len(loaded.pictures)]))
        seen = seen[len(loaded.pictures) :]
    return of_chunk


def settle(tools: Tools, encoder: Encoder, of_chunk: Sequence[SeenChunk]) -> int:
    """Answer and settle embedded chunks, enrolments first; return how many items that were."""
    for settle_kinds in dict.fromkeys(_SETTLERS.values()):
        some = [pair for pair in of_chunk if _SETTLERS[pair[0].kind] is settle_kinds]
        if some:
            settle_kinds(tools, encoder, some)
    return sum(len(pictures) for _, pictures in of_chunk)


def _settle_enrolments(tools: Tools, _: Encoder, of_chunk: Sequence[SeenChunk]) -> None:
    _settle(tools, [_enrolment(chunk, pictures) for chunk, pictures in of_chunk])


def _settle_answers(tools: Tools, encoder: Encoder, of_chunk: Sequence[SeenChunk]) -> None:
    _settle(tools, _answers(tools, encoder, of_chunk))


def _settle_embeddings(tools: Tools, encoder: Encoder, of_chunk: Sequence[SeenChunk]) -> None:
    _settle(tools, _embeddings(encoder, of_chunk))


def _settle_reports(tools: Tools, encoder: Encoder, of_chunk: Sequence[SeenChunk]) -> None:
    for chunk, _ in of_chunk:
        _settle_report(tools, encoder, chunk)


_SETTLERS: Mapping[JobKind, Callable[[Tools, Encoder, Sequence[SeenChunk]], None]] = {
    JobKind.ENROLL: _settle_enrolments,
    JobKind.REINDEX: _settle_enrolments,
    JobKind.CLASSIFY: _settle_answers,
    JobKind.SEARCH: _settle_answers,
    JobKind.EMBED: _settle_embeddings,
    JobKind.REPORT: _settle_reports,
    JobKind.COMPARE: _settle_reports,
}
"""How the chunks of a kind are settled, in this order: what is enrolled is found by the searches after it."""


def _settle(tools: Tools, settlements: Sequence[Settlement]) -> None:
    with tools.watch.stage("settle", [settlement.chunk for settlement in settlements]):
        ours = tools.store.chunks.settle(tools.owner, settlements)
    tools.watch.settled(settlements, ours)
    tools.activity.moved()


def _embed(encoder: Encoder, pictures: Sequence[Loaded]) -> list[Seen]:
    start = time.perf_counter()
    prepared = [picture.prepared for picture in pictures if picture.prepared is not None]
    vectors = iter(encoder.embed(prepared) if prepared else ())
    embed_ms = (time.perf_counter() - start) * 1000
    return [
        Seen(picture, None if picture.prepared is None else next(vectors), embed_ms) for picture in pictures
    ]


def _enrolment(chunk: Chunk, pictures: Sequence[Seen]) -> Settlement:
    outcomes: list[Result | Enrolment] = []
    for seen in pictures:
        error = _error(seen)
        if error is not None or seen.vector is None:
            outcomes.append(failed_result(seen.loaded.item, error or _unfit()))
        else:
            outcomes.append(Enrolment(seen.loaded.item, seen.vector, seen.loaded.thumbnail))
    return Settlement(chunk, outcomes)


def _answers(tools: Tools, encoder: Encoder, asked: Sequence[tuple[Chunk, list[Seen]]]) -> list[Settlement]:
    """Answer chunks, all of one collection, kind and `top` in one search.

    Those whose labels are not read yet are requeued, so that other collections need not wait for them.
    """

    def alike(pair: tuple[Chunk, list[Seen]]) -> tuple[int, str, int, bool]:
        return pair[0].collection_id or 0, pair[0].kind.value, pair[0].top, pair[0].smooth

    settlements: list[Settlement] = []
    for _, group in groupby(sorted(asked, key=alike), key=alike):
        pairs = list(group)
        try:
            with tools.watch.stage("search", [chunk for chunk, _ in pairs]):
                answerer = _answerer(tools, encoder, pairs)
        except ExemplarError as error:
            if error.code == ENCODER_CHANGED:
                _requeue_for_encoder(tools, [chunk for chunk, _ in pairs])
                continue
            if error.code != LABELS_UNREAD:
                raise
            log.info(error.code, collection=pairs[0][0].collection_id, error=error.message)
            tools.store.chunks.requeue(tools.owner, [chunk for chunk, _ in pairs])
            tools.watch.requeued([chunk for chunk, _ in pairs], error.code)
            continue
        for chunk, pictures in pairs:
            results = [answerer.result(chunk, seen) for seen in pictures]
            both = zip(pictures, results, strict=True)
            done = [seen for seen, result in both if result["status"] == "done"]
            settlements.append(Settlement(chunk, results, answerer.keep(chunk, done)))
    return settlements


def _answerer(tools: Tools, encoder: Encoder, pairs: Sequence[tuple[Chunk, list[Seen]]]) -> _Answerer:
    """Search once for every picture of a group, and return what gives each its result."""
    chunk = pairs[0][0]
    good = [seen for _, pictures in pairs for seen in pictures if _error(seen) is None]
    start = time.perf_counter()
    found: list[dict[str, Any]] = []
    answers: list[Answer] = []
    classes: Mapping[int, ClassChange] = {}
    certainty = 0.0
    gone: ExemplarError | None = None
    version = 0
    try:
        replica, collection = _replica(tools, encoder, chunk)
        version = replica.version
        vectors = np.stack([seen.vector for seen in good if seen.vector is not None]) if good else None
        if vectors is not None and not KINDS[chunk.kind].decides:
            found = _found(replica, vectors, chunk.top)
        elif vectors is not None:
            texts = tools.texts.texts_of(tools.store.texts, encoder, collection, replica)
            top = max(chunk.top, BEST) if chunk.smooth else chunk.top
            answers = classify(replica, collection.rule, vectors, top=top, texts=texts)
            found = [_named(answer, collection.rule, chunk) for answer in answers]
            classes, certainty = replica.classes, collection.rule.certainty
    except ExemplarError as error:
        if error.retry or error.code == ENCODER_CHANGED:
            raise
        gone = error
    search_ms = (time.perf_counter() - start) * 1000
    found_of = dict(zip(map(id, good), found, strict=False))
    answer_of = dict(zip(map(id, good), answers, strict=False))

    def result(of: Chunk, seen: Seen) -> Result:
        item = seen.loaded.item
        error = _error(seen) or gone or _behind(of, version)
        if error is not None:
            return failed_result(item, error)
        return {
            "item": item.index,
            "custom_id": item.custom_id,
            "status": "done",
            **found_of[id(seen)],
            "encoder": encoder.spec,
            "timing_ms": {
                "decode": round(seen.loaded.decode_ms, 2),
                "embed": round(seen.embed_ms, 2),
                "search": round(search_ms, 2),
            },
        }

    def kept(of: Chunk, done: Sequence[Seen]) -> str | None:
        if not of.smooth or not done or of.items[0].index >= tools.settings.smooth_max_items:
            return None  # a job of so many items is not smoothed
        numbers = [seen.loaded.item.index for seen in done]
        vectors = np.stack([seen.vector for seen in done if seen.vector is not None])
        answered = [answer_of[id(seen)] for seen in done]
        part = keep(numbers, vectors, answered, classes, certainty, encoder.spec)
        return tools.store.blobs.put(uploads_of(of.job_id), pack(part))

    return _Answerer(result, kept)


def _embeddings(encoder: Encoder, of_chunk: Sequence[SeenChunk]) -> list[Settlement]:
    read = read_texts(encoder, [seen.loaded.item for _, pictures in of_chunk for seen in pictures])

    def result(seen: Seen) -> Result:
        item = seen.loaded.item
        made = read.get(id(item), seen.vector)
        return embedding_result(encoder, item, _error(seen) or _unfit() if made is None else made)

    return [Settlement(chunk, [result(seen) for seen in pictures]) for chunk, pictures in of_chunk]


def _replica(tools: Tools, encoder: Encoder, chunk: Chunk) -> tuple[AnyReplica, Collection]:
    if chunk.collection_id is None:
        raise collection_gone()
    collection = tools.store.collections.current(chunk.collection_id)
    if collection is None:
        raise collection_gone()
    replica = tools.replicas.current(
        chunk.collection_id,
        encoder.dim,
        collection.index,
        encoder=chunk.encoder or None,
        identity=encoder.identity,
    )
    if replica is None:
        raise collection_gone()
    measure = tools.replicas.new_measure(collection.id)
    if measure is not None:
        tools.store.collections.note_measure(collection.id, measure)
    return replica, collection


def _found(replica: AnyReplica, vectors: Vectors, top: int) -> list[dict[str, Any]]:
    lines, version = search(replica, vectors, top=top)
    return [
        {"neighbours": [asdict(neighbour) for neighbour in line], "index_version": version} for line in lines
    ]


def _named(answer: Answer, rule: Rule, chunk: Chunk) -> dict[str, Any]:
    likely = None if answer.likely is None else {"level": rule.set_level, "labels": list(answer.likely)}
    return {
        "decision": answer.decision.value,
        "label": answer.label,
        "confidence": round(answer.confidence, 6),
        "candidates": [asdict(candidate) for candidate in answer.candidates[: chunk.top]],
        "neighbours": [asdict(neighbour) for neighbour in answer.neighbours[: chunk.top]],
        "rule": answer.rule.value,
        "explanation": asdict(answer.explanation),
        "candidate_set": likely,
        "novelty": None if answer.novelty is None else asdict(answer.novelty),
        "index_version": answer.version,
        **({"smoothed": False} if chunk.smooth else {}),
    }


def _requeue_for_encoder(tools: Tools, chunks: Sequence[Chunk]) -> None:
    """Queue chunks for the encoder that their collection has changed to."""
    tools.watch.requeued(chunks, ENCODER_CHANGED)
    for spec in tools.store.chunks.requeue_for_encoder(tools.owner, chunks):
        log.info(ENCODER_CHANGED, encoder=spec, chunks=len(chunks))
        for lane in Lane:
            tools.store.wake_ups.send(lane, spec)


def _settle_report(tools: Tools, encoder: Encoder, chunk: Chunk) -> None:
    try:
        made = _REPORTERS[chunk.kind](tools, encoder, chunk)
    except ExemplarError as error:
        if error.code != ENCODER_CHANGED:
            raise
        _requeue_for_encoder(tools, [chunk])
    else:
        _settle(tools, [Settlement(chunk, [made])])


def _comparison(tools: Tools, _: Encoder, chunk: Chunk) -> Result:
    [item] = chunk.items
    try:
        comparison = compare_encoders(tools.store, chunk.collection_id or 0)
    except ExemplarError as error:
        if error.retry:
            raise
        return failed_result(item, error)
    return {
        "item": item.index,
        "custom_id": item.custom_id,
        "status": "done",
        "comparison": comparison.model_dump(mode="json"),
    }


def _report(tools: Tools, encoder: Encoder, chunk: Chunk) -> Result:
    [item] = chunk.items
    try:
        replica, collection = _replica(tools, encoder, chunk)
        texts = tools.texts.texts_of(tools.store.texts, encoder, collection, replica)
        pictures = tools.store.supports.repeated_pictures(collection.id)
        report = report_on(replica, collection.rule, texts, pictures)
    except ExemplarError as error:
        if error.retry or error.code == ENCODER_CHANGED:
            raise
        return failed_result(item, error)
    shown = report.model_dump(mode="json")
    return {
        "item": item.index,
        "custom_id": item.custom_id,
        "status": "done",
        "report": shown,
        "index_version": report.version,
    }


_REPORTERS: Mapping[JobKind, Callable[[Tools, Encoder, Chunk], Result]] = {
    JobKind.REPORT: _report,
    JobKind.COMPARE: _comparison,
}


def _error(seen: Seen) -> ExemplarError | None:
    item = seen.loaded.item
    if item.problem is not None:
        return error_of(item.problem)
    if seen.loaded.error is not None:
        return seen.loaded.error
    return None if seen.vector is not None and is_unit(seen.vector) else _unfit()


def _unfit() -> ExemplarError:
    return ExemplarError(
        "vector_unfit", "the encoder gave no finite vector for this picture; try another picture"
    )


def _behind(chunk: Chunk, version: int) -> ExemplarError | None:
    if version >= chunk.min_version:
        return None
    return ExemplarError(
        "min_version_ahead", f"min_version {chunk.min_version} was asked for, the index is at {version}"
    )
