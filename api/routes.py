"""Routes that know their contract: each view is registered with what the OpenAPI document says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, g, request
from pydantic import BaseModel

from api.auth import check_key
from core.errors import ExemplarError
from store.keys import Scope

View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the HTTP contract."""

    method: str
    path: str
    name: str
    summary: str
    scope: Scope | None
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    takes_pictures: bool
    answer: type[BaseModel] | None
    status: int
    media_types: tuple[str, ...]


class Routes:
    """A blueprint and the operations on it."""

    def __init__(self, name: str, prefix: str = "/v1") -> None:
        self.blueprint = Blueprint(name, __name__, url_prefix=prefix or None)
        self.prefix = prefix
        self.operations: list[Operation] = []

    def add(
        self,
        method: str,
        path: str,
        *,
        scope: Scope | None,
        query: type[BaseModel] | None = None,
        body: type[BaseModel] | None = None,
        takes_pictures: bool = False,
        answer: type[BaseModel] | None = None,
        status: int = 200,
        media_types: tuple[str, ...] = ("application/json",),
    ) -> Callable[[View], View]:
        """Register a view; it gets `query` and `body` as models, and its model becomes the answer."""

        def register(view: View) -> View:
            summary = (view.__doc__ or "").strip().splitlines()[0]
            operation = Operation(
                method, self.prefix + path, view.__name__, summary, scope, query, body, takes_pictures,
                answer, status, media_types,
            )  # fmt: skip
            self.operations.append(operation)
            self.blueprint.add_url_rule(
                path, view.__name__, _checked(view, operation), methods=[operation.method]
            )
            return view

        return register


def _checked(view: View, operation: Operation) -> View:
    def answer(**path: Any) -> Any:
        if operation.scope is not None:
            g.caller = check_key(operation.scope)
        if operation.query is not None:
            path["query"] = operation.query.model_validate(request.args.to_dict())
        if operation.body is not None and not operation.takes_pictures:
            path["body"] = operation.body.model_validate(read_json())
        result = view(**path)
        return as_json(result, operation.status) if isinstance(result, BaseModel) else result

    return answer


def read_json() -> Any:
    """Return the body as JSON; raises `body_unreadable`."""
    body = request.get_json(force=True, silent=True)
    if body is None:
        raise ExemplarError("body_unreadable", "expected a JSON object, got something else")
    return body


def as_json(model: BaseModel, status: int = 200) -> Response:
    """Return a model as a response."""
    return Response(model.model_dump_json(), status, content_type="application/json")
