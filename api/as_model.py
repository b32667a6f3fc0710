"""Objects of the record as the models that callers see."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def as_model(model: type[M], found: object, **others: Any) -> M:
    """Return a model with the fields of an object that have the same names; seconds become moments in UTC.

    `others` are fields that the object does not have, or has in another form.
    """
    same = [name for name in model.model_fields if name not in others and hasattr(found, name)]
    return model.model_validate(
        {**{name: getattr(found, name) for name in same}, **others}, from_attributes=True
    )
