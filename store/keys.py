"""API keys: shown once, kept as a digest."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, insert, select, update

from core.errors import ExemplarError
from store import tables as t
from store.clock import now_s
from store.database import Database


class Scope(StrEnum):
    """What a key allows; `admin` allows everything."""

    CLASSIFY = "classify"
    ENROLL = "enroll"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret."""

    id: str
    name: str
    scopes: frozenset[Scope]
    created_at: float
    revoked: bool


class Keys:
    """The API keys of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, scopes: Sequence[Scope]) -> str:
        """Add a key and return it; it cannot be shown again."""
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row = {
            "id": key_id,
            "name": name,
            "digest": _digest(secret),
            "scopes": sorted(scope.value for scope in scopes),
            "created_at": now_s(),
        }
        with self._database.write() as connection:
            connection.execute(insert(t.api_key).values(row))
        return f"ex_{key_id}_{secret}"

    def page(self) -> list[Key]:
        """Return all keys, revoked ones too."""
        with self._database.read() as connection:
            rows = connection.execute(select(t.api_key).order_by(t.api_key.c.created_at)).all()
        return [
            Key(row.id, row.name, _scopes(row.scopes), row.created_at, row.revoked_at is not None)
            for row in rows
        ]

    def revoke(self, key_id: str) -> None:
        """End a key at once; raises `key_not_found`."""
        with self._database.write() as connection:
            statement = (
                update(t.api_key)
                .where(t.api_key.c.id == key_id, t.api_key.c.revoked_at.is_(None))
                .values(revoked_at=now_s())
            )
            if connection.execute(statement).rowcount == 0:
                raise ExemplarError("key_not_found", f"there is no living key with id {key_id!r}")

    def any_living(self) -> bool:
        """Say whether requests need a key."""
        statement = select(func.count()).select_from(t.api_key).where(t.api_key.c.revoked_at.is_(None))
        with self._database.read() as connection:
            return connection.execute(statement).scalar_one() > 0

    def scopes_of(self, key: str) -> frozenset[Scope] | None:
        """Return what a key allows, or None where it is not a living key."""
        _, _, rest = key.partition("_")
        key_id, _, secret = rest.partition("_")
        with self._database.read() as connection:
            row = connection.execute(
                select(t.api_key).where(t.api_key.c.id == key_id, t.api_key.c.revoked_at.is_(None))
            ).first()
        if row is None or not hmac.compare_digest(row.digest, _digest(secret)):
            return None
        return _scopes(row.scopes)


def _digest(secret: str) -> str:
    # 256 random bits need no slow hash
    return hashlib.sha256(secret.encode()).hexdigest()


def _scopes(names: Sequence[str]) -> frozenset[Scope]:
    return frozenset(Scope(name) for name in names)
