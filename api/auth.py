"""Authentication and authorisation: bearer keys, their scopes, and their collections."""

from __future__ import annotations

from flask import g, request

from api.requests import request_id
from api.services import services
from core.actor import LOCAL, Actor
from core.errors import ExemplarError
from store.record.collections import collection_not_found
from store.record.keys import Scope
from store.work.rows import job_not_found


def check_key(scope: Scope, *, contributors_too: bool = False) -> str:
    """Admit a request with the scope and return its key's id; otherwise raise `key_...`.

    Contributors are admitted to what is their own: see `require_visible`.
    Sets `g.collections` to the names of the collections that the key is restricted to, None for all. Refused
    and admitted requests both count towards the caller's rate; raises `too_many_requests`.
    """
    if "caller" in g:  # a view requires another scope
        _check_scope(scope)
        return str(g.caller)
    services_ = services()
    address = f"address:{request.remote_addr}"
    kind, _, sent = request.headers.get("Authorization", "").partition(" ")
    g.key, g.collections = None, None
    if kind.lower() == "bearer" and sent:
        g.key = services_.store.keys.active(sent.strip())
        services_.rates.begin(address if g.key is None else f"key:{g.key.id}")
        if g.key is None:
            if not services_.needs_key and not services_.store.keys.page():
                return LOCAL  # client libraries always send a key, even where none was created
            raise ExemplarError("key_unknown", "this key is unknown, revoked or expired")
        g.collections = g.key.collections
        if contributors_too and g.key.allows(Scope.CONTRIBUTE) and not g.key.allows(scope):
            g.sees_own = True
        else:
            _check_scope(scope)
        return str(g.key.id)
    services_.rates.begin(address)
    if services_.is_locked():
        raise ExemplarError("key_missing", "expected an Authorization header: Bearer <key>")
    return LOCAL


def caller() -> Actor:
    """Return who makes this request, once admitted."""
    if g.get("key") is None:
        return Actor(name=LOCAL, request_id=request_id())
    return Actor(g.key.id, g.key.name, request_id())


def require_visible(*, collection: str | None = None, job_id: str | None = None) -> None:
    """Raise the error of a missing collection or job unless the key may see it."""
    if job_id is not None and g.get("sees_own") and services().store.jobs.submitter(job_id) != g.key.id:
        raise job_not_found(job_id)
    if g.collections is None:
        return
    if collection is not None and collection not in g.collections:
        raise collection_not_found(collection)
    if job_id is not None and services().store.jobs.get(job_id).collection not in g.collections:
        raise job_not_found(job_id)


def check_may_make(collection: str) -> None:
    """Raise `key_collection_missing` unless the key may use a collection of this name."""
    if g.collections is not None and collection not in g.collections:
        raise ExemplarError("key_collection_missing", "this key is for other collections")


def may_only_contribute() -> bool:
    """Return whether what the caller enrols goes into quarantine."""
    return g.get("key") is not None and not g.key.allows(Scope.ENROLL)


def _check_scope(scope: Scope) -> None:
    if g.key is not None and not g.key.allows(scope):
        raise ExemplarError("key_scope_missing", f"this key lacks the scope {scope.value!r}")
