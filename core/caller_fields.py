"""Optional fields of a picture from its caller: ids and metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from core.errors import ExemplarError

METADATA_BYTES = 4096  # per item, as JSON
METADATA_LEVELS = 8

MAX_ID = 256
CallersId = Annotated[str, Field(max_length=MAX_ID, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A caller's own id; without control characters, which PostgreSQL and CSV cannot store."""


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Raise `item_invalid` unless metadata is plain JSON within the limits of size and depth."""
    try:
        size = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, RecursionError) as error:
        raise ExemplarError("item_invalid", f"metadata: expected plain JSON, got {error}") from error
    if size > METADATA_BYTES or _levels(metadata) > METADATA_LEVELS:
        raise ExemplarError(
            "item_invalid",
            f"metadata: expected at most {METADATA_BYTES} bytes of JSON and {METADATA_LEVELS} levels",
        )


def _levels(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_levels, inner), default=0)
