"""Makes async_calls.py from the OpenAPI document: the calls that need nothing written by hand."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from keyword import iskeyword

from client.generate.types import NOTE, Document, name_of, or_none, python_name, type_of

BY_HAND = ("get_results", "watch_job")  # those with several answers, or none that ends
HARMLESS = ("make_embeddings",)  # changes nothing, though it is a POST
BY_PLACE = {"move_support": ("label",)}  # optional, and yet taken by their place
SUBMITTING = ("wait_s: float = 0.0", "key: str | None = None")
_HEAD = f'''"""The calls of the API that need nothing written by hand."""

{NOTE}
from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from exemplar_client import models
from exemplar_client.async_job import AsyncJob
from exemplar_client.async_transport import AsyncTransport
from exemplar_client.requests import Content, Request, given, in_path, in_query, media_type_of, parts_of, submitting


class AsyncCalls(AsyncTransport):
    """Methods named as the operations of the document."""

'''


@dataclass(frozen=True, slots=True)
class _Argument:
    """One argument of a method: its name here and in the request."""

    name: str
    sent_as: str
    type: str
    is_required: bool

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.type}" if self.is_required else f"{self.name}: {or_none(self.type)} = None"
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a method returns, and how; `{}` is the request."""

    type: str
    how: str
    turns_pages: bool = False


def calls_source(document: Document) -> str:
    """Return async_calls.py: a method for each call that takes and gives JSON, or gives a file."""
    schemas = document["components"]["schemas"]
    calls = "\n".join(
        _method(method, path, operation, schemas)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["operationId"] not in BY_HAND and "multipart/form-data" not in _body(operation)
    )
    for name, schema in schemas.items():
        if "enum" in schema:  # a text is no mapping
            calls = calls.replace(f"models.{name_of(name)} | Mapping[str, Any]", f"models.{name_of(name)}")
    return _HEAD + textwrap.indent(calls, "    ")


def _method(method: str, path: str, operation: Document, schemas: Document) -> str:
    answer = _answer(operation)
    places = list(_parameters(operation, "path"))
    queries = [
        one for one in _parameters(operation, "query") if not answer.turns_pages or one.name != "cursor"
    ]
    fields = list(_fields(operation, schemas, {place.name for place in places}))
    takes_file = bool(_body(operation)) and "application/json" not in _body(operation)
    has_key = any(one["name"] == "Idempotency-Key" for one in operation["parameters"])
    first = [*places, *(field for field in fields if field.is_required)]
    by_place = BY_PLACE.get(operation["operationId"], ())
    first += [field for field in fields if field.name in by_place]
    then = [*(field for field in fields if field not in first), *queries]
    arguments = ["self", *map(str, first), *(["content: Content"] if takes_file else [])]
    options = [*map(str, then), *(SUBMITTING if has_key else [])]
    arguments += ["*", *options] if options else []

    parts = [repr(method.upper()), "f" + repr(re.sub(r"\{(\w+)\}", r"{in_path(\1)}", path))]
    if queries:
        parts.append(f"in_query({_pairs(queries)})")
    if fields:
        parts.append(f"json=given({_pairs(fields)})")
    headers = ["**submitting(key, wait_s)"] if has_key else []
    if takes_file:
        headers.append('"Content-Type": media_type_of(content)')
        parts.append("parts=parts_of(content)")
    if headers:
        parts.append(f"headers={{{', '.join(headers)}}}")
    if method == "get" or has_key or operation["operationId"] in HARMLESS:
        parts.append("may_repeat=True")
    made = answer.how.format(f"Request({', '.join(parts)})")
    iterates = answer.type.startswith("AsyncIterator")
    return (
        f"{'' if iterates else 'async '}def {operation['operationId']}"
        f"({', '.join(arguments)}) -> {answer.type}:\n"
        f'    """{operation["summary"]}"""\n'
        f"    return {made}\n"
    )


def _answer(operation: Document) -> _Answer:
    answers = operation["responses"]
    good = next(answers[code] for code in ("200", "201", "202", "204") if code in answers)
    has_to_be_made = "202" in answers and "200" in answers
    if "content" not in good:
        return _Answer("None", "await self._none({})")
    content = good["content"]
    media_type = "application/json" if "application/json" in content else next(iter(content))
    told = content[media_type]
    if media_type != "application/json":
        if has_to_be_made:
            return _Answer("bytes", "await self._made({})")
        if media_type.startswith(("image/", "text/")):
            return _Answer("bytes", "await self._bytes({})")
        return _Answer("AsyncIterator[bytes]", "self._parts({})")
    model = type_of(told["schema"])
    if model in ("Job", "FinishedJob"):
        return _Answer("AsyncJob", "await self._job({})")
    if model == "JobPage":
        return _Answer("AsyncIterator[AsyncJob]", "self._jobs({})", turns_pages=True)
    if model.endswith("Page"):
        item = f"models.{model.removesuffix('Page')}"
        return _Answer(f"AsyncIterator[{item}]", f"self._pages({{}}, {item})", turns_pages=True)
    if has_to_be_made:
        return _Answer(f"models.{model}", f"models.{model}.model_validate_json(await self._made({{}}))")
    return _Answer(f"models.{model}", f"await self._json({{}}, models.{model})")


def _parameters(operation: Document, place: str) -> Iterator[_Argument]:
    for one in operation["parameters"]:
        if one["in"] == place:
            name, type_ = python_name(one["name"]), type_of(one["schema"], to_send=True)
            yield _Argument(name, one["name"], type_, is_required=place == "path")


def _fields(operation: Document, schemas: Document, taken: set[str]) -> Iterator[_Argument]:
    """Yield the fields of a JSON body; one named as a part of the path is what that becomes."""
    if "application/json" not in _body(operation):
        return
    schema = schemas[_body(operation)["application/json"]["schema"]["$ref"].rpartition("/")[2]]
    for name, of in schema["properties"].items():
        own = f"new_{name}" if name in taken else python_name(name)
        is_required = name in schema.get("required", ())
        yield _Argument(own, python_name(name), type_of(of, to_send=True), is_required)


def _pairs(arguments: list[_Argument]) -> str:
    return ", ".join(
        f"**{{{one.sent_as!r}: {one.name}}}" if iskeyword(one.sent_as) else f"{one.sent_as}={one.name}"
        for one in arguments
    )


def _body(operation: Document) -> Document:
    content: Document = operation.get("requestBody", {}).get("content", {})
    return content
