"""API keys: shown once, stored as a digest."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from core.errors import ExemplarError
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.audit_log import note
from store.unpacking import unpack

DAY_S = 86400.0


class Scope(StrEnum):
    """What a key allows: `admin` everything, `enroll` also to `contribute`: to enrol into quarantine."""

    CLASSIFY = "classify"
    ENROLL = "enroll"
    CONTRIBUTE = "contribute"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret."""

    id: str
    name: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None
    """The collections that it is restricted to; None for all."""
    created_at: float
    expires_at: float | None
    revoked: bool

    def allows(self, scope: Scope) -> bool:
        """Return whether the key has a scope."""
        if scope is Scope.CONTRIBUTE and Scope.ENROLL in self.scopes:
            return True
        return scope in self.scopes or Scope.ADMIN in self.scopes


class Keys:
    """The API keys of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        scopes: Sequence[Scope],
        *,
        collections: Sequence[str] | None = None,
        lives_s: float | None = None,
    ) -> str:
        """Add a key and return it; it cannot be shown again.

        It is restricted to the `collections` of these names, which need not exist yet, and expires after
        `lives_s` seconds; None means all collections, and no expiry.
        """
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row = {
            "id": key_id,
            "name": name,
            "digest": _digest(secret),
            "scopes": sorted(scope.value for scope in scopes),
            "collections": None if collections is None else sorted(set(collections)),
            "created_at": now_s(),
            "expires_at": None if lives_s is None else now_s() + lives_s,
        }
        with self._database.write() as connection:
            connection.execute(insert(t.api_key).values(row))
            about = ("name", "scopes", "collections")
            note(connection, "key_created", details={"key": key_id, **{field: row[field] for field in about}})
        return f"ex_{key_id}_{secret}"

    def page(self) -> list[Key]:
        """Return all keys, including revoked and expired ones."""
        with self._database.read() as connection:
            rows = connection.execute(select(t.api_key).order_by(t.api_key.c.created_at)).all()
        return [_unpack(row) for row in rows]

    def revoke(self, key_id: str) -> None:
        """Revoke a key; raises `key_not_found`."""
        with self._database.write() as connection:
            statement = (
                update(t.api_key)
                .where(t.api_key.c.id == key_id, t.api_key.c.revoked_at.is_(None))
                .values(revoked_at=now_s())
            )
            if connection.execute(statement).rowcount == 0:
                raise ExemplarError("key_not_found", f"there is no active key with id {key_id!r}")
            note(connection, "key_revoked", details={"key": key_id})

    def any_active(self) -> bool:
        """Return whether requests need a key; the expiry of the last key does not open the API."""
        statement = select(func.count()).select_from(t.api_key).where(t.api_key.c.revoked_at.is_(None))
        with self._database.read() as connection:
            return connection.execute(statement).scalar_one() > 0

    def active(self, key: str) -> Key | None:
        """Return the active key that a caller sent; None if it is unknown, revoked or expired."""
        _, _, rest = key.partition("_")
        key_id, _, secret = rest.partition("_")
        row = t.api_key.c
        statement = select(t.api_key).where(
            row.id == key_id,
            row.revoked_at.is_(None),
            row.expires_at.is_(None) | (row.expires_at > now_s()),
        )
        with self._database.read() as connection:
            found = connection.execute(statement).first()
        # always compare, so that the response time does not reveal which ids exist
        is_right = hmac.compare_digest(_digest("") if found is None else found.digest, _digest(secret))
        return _unpack(found) if found is not None and is_right else None


def default_scopes(collections: Sequence[str]) -> list[Scope]:
    """Return the scopes of a key for which none are given: a restricted one is not an admin's."""
    return [Scope.CLASSIFY, Scope.ENROLL] if collections else [Scope.ADMIN]


def follow_name(connection: Connection, name: str, new_name: str) -> None:
    """Restrict the keys of a renamed collection to its new name."""
    restricted = select(t.api_key).where(t.api_key.c.collections.is_not(None)).order_by(t.api_key.c.id)
    for row in connection.execute(restricted.with_for_update()).all():
        if name in row.collections:
            names = sorted({new_name, *row.collections} - {name})
            which = t.api_key.c.id == row.id
            connection.execute(update(t.api_key).where(which).values(collections=names))


def _digest(secret: str) -> str:
    # 256 random bits need no slow hash
    return hashlib.sha256(secret.encode()).hexdigest()


def _unpack(row: Row[Any]) -> Key:
    return unpack(
        Key,
        row,
        scopes=frozenset(Scope(name) for name in row.scopes),
        collections=None if row.collections is None else frozenset(row.collections),
        revoked=row.revoked_at is not None,
    )
