"""Marks of snapshots: a random token for each, by which a record knows the snapshots of its own history."""

from __future__ import annotations

import secrets

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.collections import collection_gone

KEPT = 64  # of a collection; each worker reads the newest of its own folder


class SnapshotMarks:
    """The marks of the record. One that was restored from a backup lacks those made after the backup."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, collection_id: int) -> str:
        """Return a new mark of a collection, to be stored in the snapshot; raises `collection_not_found`."""
        token, mark = secrets.token_hex(16), t.snapshot_mark.c
        newest = (
            select(mark.token)
            .where(mark.collection_id == collection_id)
            .order_by(mark.created_at.desc())
            .limit(KEPT)
        )
        try:
            with self._database.write() as connection:
                values = {"collection_id": collection_id, "token": token}
                connection.execute(insert(t.snapshot_mark).values(**values, created_at=now_s()))
                kept = connection.execute(newest).scalars().all()
                old = (mark.collection_id == collection_id, mark.token.not_in(kept))
                connection.execute(delete(t.snapshot_mark).where(*old))
        except IntegrityError as error:
            raise collection_gone() from error
        return token

    def has(self, collection_id: int, token: str) -> bool:
        """Return whether a mark was made in this record's history."""
        mark = t.snapshot_mark.c
        statement = select(mark.token).where(mark.collection_id == collection_id, mark.token == token)
        with self._database.read() as connection:
            return connection.execute(statement).first() is not None
