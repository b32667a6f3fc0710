"""The calls of the API in groups, for the page that people read."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from api.routes import Document

_PARTS = {
    "Collections": "collections",
    "Enrol and classify": "enroll classify bulk search",
    "Jobs": "jobs",
    "Reviews": "review unreview items redecide groups",
    "Classes": "classes",
    "Supports": "supports",
    "Report": "report",
    "Change of encoder": "reindex",
    "Export and import": "export import",
    "Embeddings": "embeddings models",
}
"""The last of these parts of a path says which group it is of."""
_GROUPS = {part: group for group, parts in _PARTS.items() for part in parts.split()}
OTHER = "Health and metrics"


class Call(NamedTuple):
    """One call, with a body to begin with where it takes JSON."""

    method: str
    path: str
    about: Document
    body: str | None


def grouped(document: Document) -> dict[str, list[Call]]:
    """Return the calls of a document by what they are about, in the order that a reader needs."""
    found: dict[str, list[Call]] = {name: [] for name in (*_PARTS, OTHER)}
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            found[_group_of(path)].append(Call(method.upper(), path, about, _body_of(about, document)))
    return {name: calls for name, calls in found.items() if calls}


def _group_of(path: str) -> str:
    named = [_GROUPS[part] for part in path.split("/") if part in _GROUPS]
    return named[-1] if named else OTHER


def _body_of(about: Document, document: Document) -> str | None:
    """Return the required fields of a JSON body, each with an example or an empty value."""
    schema = about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return None
    model = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
    fields = model.get("properties", {})
    return json.dumps({name: _example(fields[name]) for name in model.get("required", ())}, indent=2)


def _example(field: Document) -> Any:
    if field.get("examples"):
        return field["examples"][0]
    empty = {"string": "", "array": [], "object": {}, "integer": 0, "number": 0, "boolean": False}
    return empty.get(field.get("type", ""))
