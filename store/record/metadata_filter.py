"""Filters of supports by their metadata as conditions in SQL, the same on both databases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import ColumnElement, Connection, Numeric, Text, and_, case, cast, false, func, literal, or_

from core.where import Scalar, Where
from store import tables as t


def matches(connection: Connection, where: Where) -> ColumnElement[bool]:
    """Return the condition that a support's metadata has one of the values for each name.

    Texts, numbers and truth values differ: `"1"` is not `1`; `1` is `1.0`.
    """
    has = _has_in_postgres if connection.dialect.name == "postgresql" else _has_in_sqlite
    return and_(*(has(name, values) for name, values in where.items()))


def _parted(values: Sequence[Scalar]) -> tuple[list[str], list[float], list[bool]]:
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return texts, numbers, [value for value in values if isinstance(value, bool)]


def _has_in_sqlite(name: str, values: Sequence[Scalar]) -> ColumnElement[bool]:
    texts, numbers, truths = _parted(values)
    path = f"$.{json.dumps(name)}"  # escaped as SQLAlchemy stores it: SQLite compares names as written
    kind, value = func.json_type(t.support.c.metadata, path), func.json_extract(t.support.c.metadata, path)
    ways: list[ColumnElement[bool]] = []
    if texts:
        ways.append(and_(kind == "text", value.in_(texts)))
    if numbers:
        ways.append(and_(kind.in_(("integer", "real")), value.in_(numbers)))
    if truths:
        ways.append(kind.in_([str(truth).lower() for truth in truths]))
    return or_(false(), *ways)


def _has_in_postgres(name: str, values: Sequence[Scalar]) -> ColumnElement[bool]:
    texts, numbers, truths = _parted(values)
    inner = t.support.c.metadata.op("->")(literal(name, Text))
    kind, value = func.json_typeof(inner), t.support.c.metadata.op("->>")(literal(name, Text))
    ways: list[ColumnElement[bool]] = []
    if texts:
        ways.append(and_(kind == "string", value.in_(texts)))
    if numbers:  # nothing else can be cast, whatever is evaluated first
        number = case((kind == "number", cast(value, Numeric)))
        ways.append(number.in_([Decimal(repr(one)) for one in numbers]))
    if truths:
        ways.append(and_(kind == "boolean", value.in_([str(truth).lower() for truth in truths])))
    return or_(false(), *ways)
