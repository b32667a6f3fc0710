"""The view that returns vectors of pictures and texts, in the shape of OpenAI's embeddings call."""

from __future__ import annotations

import base64
import struct
from contextlib import suppress
from typing import Any, Literal

from flask import Response
from pydantic import BaseModel, Field

from api.auth import require_visible
from api.embedding_inputs import EmbeddingsRequest, Picture, check_text, content_of
from api.errors import STATUS_OF, problem_response
from api.prefer import wait_s
from api.requests import origin_of
from api.routes import Routes, as_json
from api.services import check_offered, services
from core.errors import ExemplarError, error_of, problem_of
from core.jobs import Item, JobKind, JobRequest, Lane
from core.specs import is_removed, removed
from store.blobs import uploads_of
from store.record.keys import Scope
from store.work.jobs import new_job_id

routes = Routes("embeddings")

UNPROCESSABLE = 422


class Embedding(BaseModel):
    """One vector of unit length."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="Numbers, or base64 of little-endian float32.")


class Usage(BaseModel):
    """Usage: inputs are counted, not tokens."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    """The vectors in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class OfferedModel(BaseModel):
    """An encoder, as OpenAI's clients list models."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["exemplar"] = "exemplar"


class ModelList(BaseModel):
    """The encoders that this service offers."""

    object: Literal["list"] = "list"
    data: list[OfferedModel]


@routes.add("GET", "/models", scope=Scope.CLASSIFY)
def list_models() -> ModelList:
    """List the encoders on offer, in the shape of OpenAI's call."""
    return ModelList(data=[OfferedModel(id=spec) for spec in services().settings.encoders])


@routes.add("POST", "/embeddings", scope=Scope.CLASSIFY, answer=EmbeddingList)
def make_embeddings(body: EmbeddingsRequest) -> Response:
    """Return the vectors of pictures or texts, in the shape of OpenAI's call."""
    collection, encoder = _whose(body.model)
    inputs = body.input if isinstance(body.input, list) else [body.input]
    body.input = ""  # free the pictures' memory while waiting for the worker
    with services().precedence.taken():
        results = _embed(collection, encoder, inputs)
    for result in results:
        if result["status"] == "failed":  # a list of vectors has no place for the error of one
            error = error_of(result["error"])
            raise ExemplarError(error.code, f"input[{result['item']}]: {error.message}", retry=error.retry)
    vectors = [result["embedding"] for result in results]
    _check_dimensions(body.dimensions, vectors[0])
    made = EmbeddingList(
        data=[
            Embedding(index=index, embedding=vector if body.encoding_format == "base64" else _floats(vector))
            for index, vector in enumerate(vectors)
        ],
        model=str(results[0]["encoder"]),
        usage=Usage(prompt_tokens=len(vectors), total_tokens=len(vectors)),
    )
    return as_json(made)


def _whose(model: str) -> tuple[str, str]:
    """Return the collection that a model names, or "", and the encoder."""
    if model in services().settings.encoders:
        return "", model
    try:
        require_visible(collection=model)
        encoder = services().store.collections.find(model).encoder
    except ExemplarError as error:
        if error.code != "collection_not_found":
            raise
        if is_removed(model):
            raise removed(model) from error
        offered = ", ".join(services().settings.encoders)
        raise ExemplarError(
            "encoder_not_offered", f"model: expected one of {offered} or a collection, got {model[:200]!r}"
        ) from error
    check_offered(encoder)
    return model, encoder


def _embed(collection: str, encoder: str, inputs: list[str | Picture]) -> list[dict[str, Any]]:
    """Let a worker embed; the job is internal and is deleted once its results are read."""
    settings, store = services().settings, services().store
    if len(inputs) > settings.max_items:
        raise ExemplarError(
            "items_too_many", f"expected at most {settings.max_items} inputs, got {len(inputs)}"
        )
    job_id = new_job_id()
    lane = Lane.INTERACTIVE if len(inputs) <= settings.interactive_items else Lane.BULK
    try:
        items = [_item(job_id, encoder, index, one) for index, one in enumerate(inputs)]
        inputs.clear()
        asked = JobRequest(
            collection,
            JobKind.EMBED,
            lane,
            items,
            encoder=None if collection else encoder,
            origin=origin_of(job_id, JobKind.EMBED),
        )
        store.jobs.submit(job_id, asked)
        store.wake_ups.send(lane, encoder)
        _await(job_id, wait_s(settings.max_wait_s))
        results = [dict(result) for result in store.jobs.results(job_id, limit=len(items)).results]
        if len(results) < len(items):
            raise ExemplarError("embeddings_late", "the job was cancelled; ask again", retry=True)
        return results
    finally:
        with suppress(ExemplarError):
            store.jobs.remove([job_id])
            store.blobs.remove_folder(uploads_of(job_id))


def _item(job_id: str, encoder: str, index: int, one: str | Picture) -> Item:
    try:
        content = content_of(one)
        if content is not None:
            return Item(index, picture=services().store.blobs.put(uploads_of(job_id), content, durable=False))
        check_text(encoder, str(one))
    except ExemplarError as error:
        raise ExemplarError(error.code, f"input[{index}]: {error.message}", retry=error.retry) from error
    return Item(index, text=str(one))


def _await(job_id: str, most_s: float) -> None:
    if not services().watch.wait(job_id, most_s):
        services().store.control.cancel(job_id)  # its results would not be read
        alive = services().store.workers.alive()
        detail = f"no worker finished in {most_s:g} s" if alive else "no worker has a recent heartbeat"
        raise ExemplarError("embeddings_late", f"{detail}; try again later", retry=True)


def _check_dimensions(wanted: int | None, vector: str) -> None:
    made = len(_floats(vector))
    if wanted is not None and wanted != made:
        raise ExemplarError(
            "request_invalid", f"dimensions: this encoder gives {made} and is not cut, got {wanted}"
        )


def _floats(vector: str) -> list[float]:
    packed = base64.b64decode(vector)
    return list(struct.unpack(f"<{len(packed) // 4}f", packed))


def _openai_problem(error: ExemplarError) -> Response:
    """Return a problem object that also has its text where OpenAI's clients expect it."""
    problem = {**problem_of(error), "message": error.message}
    return problem_response(problem, STATUS_OF.get(error.code, UNPROCESSABLE))


routes.blueprint.register_error_handler(ExemplarError, _openai_problem)
