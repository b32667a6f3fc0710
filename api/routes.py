"""Routes with their contract: each view is registered with its description for the OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any, get_type_hints
from urllib.parse import unquote_to_bytes

from flask import Blueprint, Response, g, request
from pydantic import BaseModel

from api.auth import caller, check_key, require_visible
from api.inputs import Strict
from api.services import services
from core.actor import acting
from core.errors import ExemplarError
from store.record.keys import Scope

View = Callable[..., Any]
Document = dict[str, Any]

LARGE_BYTES = 1 << 20

_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")  # maybe a lone surrogate, which UTF-8 cannot encode


@dataclass(slots=True)
class Operation:
    """One call of the HTTP contract; it registers its view, which gets `query` and `body` as models.

    Their types are those of the view's signature. A model that it returns is the answer; `answer` is given
    where it returns a response, `body` where it reads the pictures itself. One that `may_wait` answers 202
    with a job if the result takes longer. `uploads` are the schemas of bodies other than JSON, by media type;
    `parameters`, `responses` and the `note` after its description are added to the OpenAPI document. With
    `contributors_too`, keys that may only contribute are admitted to what is about a job of their own, or
    about none.
    """

    routes: Routes
    method: str
    path: str
    _: KW_ONLY
    scope: Scope | None
    body: type[BaseModel] | None = None
    takes_pictures: bool = False
    answer: type[BaseModel] | None = None
    status: int = 200
    media_types: tuple[str, ...] = ("application/json",)
    may_wait: bool = False
    uploads: Mapping[str, Document] = field(default_factory=dict)
    parameters: tuple[Document, ...] = ()
    responses: Mapping[str, Document] = field(default_factory=dict)
    note: str = ""
    contributors_too: bool = False
    name: str = field(init=False)
    summary: str = field(init=False)
    query: type[BaseModel] | None = field(init=False)

    def __call__(self, view: View) -> View:
        types = get_type_hints(view)
        self.name, self.summary = view.__name__, (view.__doc__ or "").strip().splitlines()[0]
        self.query, self.body = types.get("query"), types.get("body", self.body)
        self.answer = types["return"] if issubclass(types["return"], BaseModel) else self.answer
        self.routes.blueprint.add_url_rule(self.path, self.name, _checked(view, self), methods=[self.method])
        self.path = self.routes.prefix + self.path
        self.routes.operations.append(self)
        return view


class Routes:
    """A blueprint and the operations on it; `add` makes one."""

    def __init__(self, name: str, prefix: str = "/v1") -> None:
        self.blueprint = Blueprint(name, __name__, url_prefix=prefix or None)
        self.prefix = prefix
        self.operations: list[Operation] = []
        self.add = partial(Operation, self)


def _checked(view: View, operation: Operation) -> View:
    def answer(**path: Any) -> Any:
        if operation.scope is None:
            return admitted(path)
        g.caller = check_key(operation.scope, contributors_too=operation.contributors_too)
        with acting(caller()):
            require_visible(collection=path.get("collection"), job_id=path.get("job_id"))
            query = (operation.query or Strict).model_validate(_read_query())
            if operation.query is not None:
                path["query"] = query
            return admitted(path)

    def admitted(path: dict[str, Any]) -> Any:
        if operation.body is not None and not operation.takes_pictures:
            with services().large if is_large() else nullcontext():
                path["body"] = operation.body.model_validate(read_json())
        result = view(**path)
        if result is None:
            return Response(status=operation.status)
        return as_json(result, operation.status) if isinstance(result, BaseModel) else result

    return answer


def is_large() -> bool:
    """Return whether such bodies are large, so that only a few may be in memory at a time."""
    return (request.content_length or 0) > LARGE_BYTES


def read_json() -> Any:
    """Return the body as JSON; raises `media_type_invalid` or `body_unreadable`.

    A browser sends JSON of another origin only after asking, unless it may call it something else.
    """
    if not request.is_json:
        got = request.mimetype[:80] or "none"
        raise ExemplarError("media_type_invalid", f"expected Content-Type: application/json, got {got}")
    raw = request.get_data(cache=False)
    try:
        body = json.loads(raw, parse_constant=_refuse_constant)
        if _HALF_CHARACTER.search(raw) is not None:
            json.dumps(body, ensure_ascii=False).encode()
    except ValueError as error:
        raise ExemplarError("body_unreadable", f"expected JSON: {error}") from error
    if body is None:
        raise ExemplarError("body_unreadable", "expected a JSON object, got null")
    return body


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name}, which is no JSON")


def _read_query() -> dict[str, str]:
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError as error:  # else werkzeug takes the escapes of such bytes as the text
        raise ExemplarError(
            "request_invalid", f"expected a query in UTF-8, got other bytes: {error}"
        ) from error
    query = request.args.to_dict(flat=False)
    repeated = sorted(name for name, values in query.items() if len(values) > 1)
    if repeated:
        raise ExemplarError("request_invalid", f"{repeated[0][:80]}: expected it once in the query")
    return {name: values[0] for name, values in query.items()}


def as_json(model: BaseModel, status: int = 200, *, exclude_unset: bool = False) -> Response:
    """Return a model as a response."""
    text = model.model_dump_json(exclude_unset=exclude_unset)
    return Response(text, status, content_type="application/json")
