"""Statements are compiled once per process, and not for the engine of each test."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy
from sqlalchemy.engine.default import DefaultDialect

from store import database

KEPT = 5000


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
