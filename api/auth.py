"""Who may do what: bearer keys and their scopes."""

from __future__ import annotations

from flask import request

from api.services import services
from core.errors import ExemplarError
from store.keys import Scope


def check_key(scope: Scope) -> str:
    """Let a request pass that has the scope and return whose it is; otherwise raise `key_...`."""
    services_ = services()
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not key:
        if services_.needs_key or services_.store.keys.any_living():
            raise ExemplarError("key_missing", "expected an Authorization header: Bearer <key>")
        return "local"
    scopes = services_.store.keys.scopes_of(key.strip())
    if scopes is None:
        if not services_.needs_key and not services_.store.keys.page():
            return "local"  # clients of others' making always send a key, though none has ever been made here
        raise ExemplarError("key_unknown", "this key is unknown or revoked")
    if scope not in scopes and Scope.ADMIN not in scopes:
        raise ExemplarError("key_scope_missing", f"this key lacks the scope {scope.value!r}")
    return key.split("_")[1]
