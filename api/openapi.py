"""The OpenAPI 3.1 document, generated from the routes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.models import DryRun, FinishedJob, Health, JobModel, ProblemModel
from api.routes import Operation

_PARAMETER = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>")
_REF = "#/components/schemas/{model}"

BULK_TYPES = ("application/zip", "application/x-tar", "application/x-ndjson", "text/csv")

Document = dict[str, Any]


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
                "content": {"application/problem+json": {"schema": _ref(ProblemModel)}},
            },
        },
    }
    if operation.scope is not None:
        described["security"] = [{"key": []}, {}]
        described["description"] = f"Needs the scope `{operation.scope.value}` if keys are in use."
    if operation.takes_pictures:
        described["parameters"] += _submit_headers()
        described["responses"]["200"] = {
            "description": "The finished job with its results, if it ended within `Prefer: wait`.",
            "content": {"application/json": {"schema": _ref(FinishedJob)}},
        }
    if operation.name == "bulk":
        described["description"] += " Enrolling also needs `enroll`."
        described["responses"]["200"] = {
            "description": "The result of a dry run, or the finished job if it ended within `Prefer: wait`.",
            "content": {"application/json": {"schema": {"anyOf": [_ref(DryRun), _ref(FinishedJob)]}}},
        }
    if operation.name == "watch_job":
        described["parameters"].append(
            {
                "name": "Last-Event-ID",
                "in": "header",
                "schema": {"type": "string"},
                "description": "The last event received; only newer ones are sent.",
            }
        )
        described["responses"]["204"] = {"description": "The job has ended and its last event was seen."}
    if operation.may_wait:
        described["parameters"].append(_prefer())
        described["responses"]["202"] = _job_response("A job is making it: ask again when the job has ended.")
    if operation.answer is Health:
        described["responses"]["503"] = _response(operation)
    if operation.name == "import_collection":
        file = {"schema": {"type": "string", "format": "binary"}}
        described["requestBody"] = {"required": True, "content": {"application/zip": file}}
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _request_content(operation, operation.body)}
    return described


def _response(operation: Operation) -> Document:
    if operation.status == 204:
        return {"description": "Done."}
    schema: Document = {"type": "string"} if operation.answer is None else _ref(operation.answer)
    content = {
        media_type: _content(schema if media_type == "application/json" else {"type": "string"}, media_type)
        for media_type in operation.media_types
    }
    if operation.answer is JobModel and operation.status == 202:
        return _job_response(operation.summary)
    return {"description": operation.summary, "content": content}


def _content(schema: Document, media_type: str) -> Document:
    # a stream's schema would be that of each of its events, which OpenAPI 3.1 cannot express
    return {"schema": {} if media_type == "text/event-stream" else schema}


def _job_response(description: str) -> Document:
    return {
        "description": description,
        "content": {"application/json": {"schema": _ref(JobModel)}},
        "headers": {
            "Location": {"schema": {"type": "string"}, "description": "Where the job is."},
            "Retry-After": {
                "schema": {"type": "integer"},
                "description": "Seconds to wait before the next request.",
            },
        },
    }


def _request_content(operation: Operation, body: type[BaseModel]) -> Document:
    content: Document = {"application/json": {"schema": _ref(body)}}
    if operation.name == "bulk":
        file: Document = {"type": "string", "format": "binary"}
        parts = {"archive": file, "manifest": file}
        content["multipart/form-data"] = {
            "schema": {"type": "object", "properties": parts, "required": ["archive"]}
        }
        content |= {media_type: {"schema": file} for media_type in BULK_TYPES}
    elif operation.takes_pictures:
        form: Document = {"image": {"type": "array", "items": {"type": "string", "format": "binary"}}}
        if operation.name == "enroll":
            form["label"] = {"type": "string"}
        content["multipart/form-data"] = {
            "schema": {"type": "object", "properties": form, "required": ["image"]}
        }
        for media_type in ("image/*", "application/octet-stream"):
            content[media_type] = {"schema": {"type": "string", "format": "binary"}}
    return content


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


def _prefer() -> Document:
    return {
        "name": "Prefer",
        "in": "header",
        "schema": {"type": "string", "examples": ["wait=10"]},
        "description": "wait=N waits up to N seconds for the finished job (RFC 7240).",
    }


def _submit_headers() -> list[Document]:
    return [
        _prefer(),
        {
            "name": "Idempotency-Key",
            "in": "header",
            "schema": {"type": "string"},
            "description": "The same key and request return the first job; another request is 422.",
        },
    ]


def _ref(model: type[BaseModel]) -> Document:
    return {"$ref": _REF.format(model=model.__name__)}
