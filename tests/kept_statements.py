"""Statements are compiled once per process, and not for the engine of each test."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
import sqlalchemy
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.default import DefaultDialect

from store import database

KEPT = 5000
IDLE = psycopg.pq.TransactionStatus.IDLE


@cache
def _statements(kind: type[DefaultDialect]) -> Any:
    return sqlalchemy.util.LRUCache(KEPT)


def _create_engine(url: str, **options: Any) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(url, **options)
    engine._compiled_cache = _statements(type(engine.dialect))
    return engine


def keep_statements() -> None:
    """Share what is compiled among the engines of a kind: all are made with the same options of dialects.

    The dialect is part of a statement's key, and each engine has its own.
    """
    DefaultDialect.__eq__ = lambda one, other: type(one) is type(other)  # type: ignore[method-assign]
    DefaultDialect.__hash__ = lambda one: hash(type(one))  # type: ignore[method-assign]
    database.create_engine = _create_engine  # type: ignore[attr-defined]


def keep_connections() -> None:
    """Lend connections to PostgreSQL to the next engine too: for a new one the server reads its catalogue."""
    connect, close = PGDialect_psycopg.connect, PGDialect_psycopg.do_close
    idle: dict[str, list[Any]] = defaultdict(list)
    lent: WeakKeyDictionary[Any, str] = WeakKeyDictionary()

    def lend(self: PGDialect_psycopg, *arguments: Any, **options: Any) -> Any:
        key = repr((arguments, {**options, "context": None}))  # each engine has its own, and all are the same
        while idle[key]:
            connection = idle[key].pop()
            try:
                connection.autocommit = True
                connection.execute("DISCARD ALL")
                connection.autocommit = False
            except psycopg.Error:
                continue
            return connection
        connection = connect(self, *arguments, **options)
        lent[connection] = key
        return connection

    def take_back(self: PGDialect_psycopg, connection: Any) -> None:
        if connection in lent and not connection.closed and connection.info.transaction_status == IDLE:
            idle[lent[connection]].append(connection)
        else:
            close(self, connection)

    PGDialect_psycopg.connect = lend
    PGDialect_psycopg.do_close = take_back
