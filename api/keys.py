"""Views of API keys, for holders of an admin key; the first key is created where the service runs."""

from __future__ import annotations

from datetime import datetime

from flask import g
from pydantic import BaseModel, Field

from api.as_model import as_model
from api.inputs import Strict
from api.routes import Routes
from api.services import services
from core.errors import ExemplarError
from core.labels import check_slug
from store.record.keys import DAY_S, Key, Scope, default_scopes

routes = Routes("keys")


class NewKey(Strict):
    """A key to create."""

    name: str = Field(min_length=1, max_length=100, examples=["camera at the gate"])
    scopes: list[Scope] = Field(
        default=[], description="Default: `admin`, or with `collections` all scopes but `admin`."
    )
    collections: list[str] | None = Field(
        None, min_length=1, description="The collections that it is restricted to; they need not exist yet."
    )
    days: float | None = Field(None, gt=0, le=36_500, description="Days until it expires; never by default.")


class KeyModel(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    collections: list[str] | None = Field(description="The collections that it is restricted to; null: all.")
    created_at: datetime
    expires_at: datetime | None
    revoked: bool
    yours: bool = Field(description="Whether this request was made with it.")

    @classmethod
    def of(cls, key: Key) -> KeyModel:
        collections = None if key.collections is None else sorted(key.collections)
        yours = key.id == g.key.id
        return as_model(cls, key, scopes=sorted(key.scopes), collections=collections, yours=yours)


class KeyList(BaseModel):
    """All keys, oldest first."""

    items: list[KeyModel]


class CreatedKey(BaseModel):
    """A new key, which cannot be shown again."""

    id: str
    key: str = Field(description="Sent as `Authorization: Bearer <key>`.")


@routes.add("GET", "/keys", scope=Scope.ADMIN)
def list_keys() -> KeyList:
    """List API keys without their secrets, including revoked and expired ones."""
    _require_admin_key()
    return KeyList(items=[KeyModel.of(key) for key in services().store.keys.page()])


@routes.add("POST", "/keys", scope=Scope.ADMIN, status=201)
def create_key(body: NewKey) -> CreatedKey:
    """Create an API key; it is shown only in this answer."""
    _require_admin_key()
    made = services().store.keys.create(
        body.name,
        body.scopes or default_scopes(body.collections or ()),
        collections=None if body.collections is None else [check_slug(name) for name in body.collections],
        lives_s=None if body.days is None else body.days * DAY_S,
    )
    return CreatedKey(id=made.split("_")[1], key=made)


@routes.add("DELETE", "/keys/<key_id>", scope=Scope.ADMIN, status=204)
def revoke_key(key_id: str) -> None:
    """Revoke an API key at once; the one that makes the request stays."""
    _require_admin_key()
    if key_id == g.key.id:
        raise ExemplarError(
            "key_in_use", "this request was made with that key; revoke it with another one, or on the server"
        )
    services().store.keys.revoke(key_id)


def _require_admin_key() -> None:
    """Raise `key_scope_missing` unless the caller has an admin key for all collections."""
    if g.key is None:
        raise ExemplarError(
            "key_scope_missing",
            "expected an admin key; create the first one where the service runs: exemplar keys create NAME",
        )
    if g.collections is not None:
        raise ExemplarError("key_collection_missing", "expected a key for all collections")
