"""Results: what stands in the answer for one item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import ExemplarError, problem_of
from core.types import Item

Result = Mapping[str, Any]
"""One item's result as JSON; `status` is `done` or `failed`."""


def failed_result(item: Item, error: ExemplarError) -> Result:
    """Return the result of an item that failed."""
    return {"item": item.index, "custom_id": item.custom_id, "status": "failed", "error": problem_of(error)}
