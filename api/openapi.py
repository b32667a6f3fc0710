"""The OpenAPI 3.1 document, generated from the routes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.models import DryRun, FinishedJob, Health, JobModel, ProblemModel
from api.routes import Document, Operation

_PARAMETER = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>")
_REF = "#/components/schemas/{model}"

EVENTS = "text/event-stream"
FILE: Document = {"type": "string", "format": "binary"}
PREFER: Document = {
    "name": "Prefer",
    "in": "header",
    "schema": {"type": "string", "examples": ["wait=10"]},
    "description": "wait=N waits up to N seconds for the finished job (RFC 7240).",
}
IDEMPOTENCY_KEY: Document = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The same key and request return the first job; another request is 422.",
}

_OR_OWN = ", or `contribute` for what is the key's own,"


def make_document(operations: Sequence[Operation]) -> Document:
    """Return the document; every schema is the JSON Schema of the model that the view uses."""
    models: set[type[BaseModel]] = {ProblemModel, FinishedJob, DryRun}
    for operation in operations:
        models |= {model for model in (operation.body, operation.answer) if model is not None}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in ordered], ref_template=_REF)
    paths: Document = {}
    for operation in operations:
        if operation.query is not None:  # its parameters may be invalid
            schemas["$defs"] |= operation.query.model_json_schema(ref_template=_REF).get("$defs", {})
        paths.setdefault(_PARAMETER.sub(r"{\g<name>}", operation.path), {})[operation.method.lower()] = (
            _describe(operation)
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Exemplar",
            "version": version("exemplar"),
            "summary": "Recognises what is in a picture from a few examples of each class.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _describe(operation: Operation) -> Document:
    described: Document = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": {
            str(operation.status): _response(operation),
            "default": {
                "description": "A problem object (RFC 9457).",
                "content": {"application/problem+json": {"schema": ref(ProblemModel)}},
            },
        },
    }
    if operation.scope is not None:
        described["security"] = [{"key": []}, {}]
        own = _OR_OWN if operation.contributors_too else ""
        described["description"] = (
            f"Needs the scope `{operation.scope.value}`{own} if keys are in use.{operation.note}"
        )
    if operation.takes_pictures or (operation.may_wait and operation.status == 202):
        described["parameters"] += [PREFER, IDEMPOTENCY_KEY]
        described["responses"]["200"] = {
            "description": "The finished job with its results, if it ended within `Prefer: wait`.",
            "content": {"application/json": {"schema": ref(FinishedJob)}},
        }
    elif operation.may_wait:
        described["parameters"].append(PREFER)
        described["responses"]["202"] = _job_response("A job is making it: ask again when the job has ended.")
    if operation.answer is Health:
        described["responses"]["503"] = _response(operation)
    content = {media_type: {"schema": schema} for media_type, schema in operation.uploads.items()}
    if operation.body is not None:
        content["application/json"] = {"schema": ref(operation.body)}
    if content:
        described["requestBody"] = {"required": True, "content": content}
    described["parameters"] += operation.parameters
    described["responses"] |= operation.responses
    return described


def _response(operation: Operation) -> Document:
    if operation.status == 204:
        return {"description": "Done."}
    text: Document = {"type": "string"}
    # a stream's schema would be that of each of its events, which OpenAPI 3.1 cannot express
    schemas = {"application/json": ref(operation.answer) if operation.answer else text, EVENTS: {}}
    content = {one: {"schema": schemas.get(one, text)} for one in operation.media_types}
    if operation.answer is JobModel and operation.status == 202:
        return _job_response(operation.summary)
    return {"description": operation.summary, "content": content}


def _job_response(description: str) -> Document:
    return {
        "description": description,
        "content": {"application/json": {"schema": ref(JobModel)}},
        "headers": {
            "Location": {"schema": {"type": "string"}, "description": "Where the job is."},
            "Retry-After": {
                "schema": {"type": "integer"},
                "description": "Seconds to wait before the next request.",
            },
        },
    }


def _path_parameters(operation: Operation) -> list[Document]:
    return [
        {
            "name": match["name"],
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if match["converter"] == "id" else "string"},
        }
        for match in _PARAMETER.finditer(operation.path)
    ]


def _query_parameters(operation: Operation) -> list[Document]:
    if operation.query is None:
        return []
    schema = operation.query.model_json_schema(ref_template=_REF)
    return [
        {"name": name, "in": "query", "required": False, "schema": field}
        for name, field in schema["properties"].items()
    ]


def ref(model: type[BaseModel]) -> Document:
    """Return a reference to the schema of a model."""
    return {"$ref": _REF.format(model=model.__name__)}


def form(*required: str, **fields: Document) -> Document:
    """Return the schema of a form."""
    return {"type": "object", "properties": fields, "required": list(required)}
