"""Large bodies, stored part by part while they arrive."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from flask import request

from api.services import services
from core.errors import ExemplarError
from core.sizes import size_text
from formats.bounded_reader import Readable
from store.blobs import uploads_of

PART_BYTES = 1 << 20


def check_length(most: int, *, hint: str = "") -> None:
    """Raise `body_too_large` for a body that says that it is longer, before any of it is read."""
    if (request.content_length or 0) > most:
        raise _too_large(most, hint)


def keep_body(
    job_id: str, stream: Readable, what: str, *, compares: bool = True, hint: str = ""
) -> tuple[str, str]:
    """Store a body among the uploads of a job; return its name there, and its digest if it `compares`.

    Raises `body_empty`, and `body_too_large` for more than bulk uploads may have.
    """
    most = services().settings.bulk_max_bytes
    digest = hashlib.sha256()

    def parts() -> Iterator[bytes]:
        size = 0
        while part := stream.read(PART_BYTES):
            size += len(part)
            if size > most:
                raise _too_large(most, hint)
            if compares:
                digest.update(part)
            yield part
        if size == 0:
            raise ExemplarError("body_empty", f"expected {what}, got 0 bytes")

    name = services().store.blobs.put_stream(uploads_of(job_id), parts())
    return name, digest.hexdigest()  # once all parts were read


def _too_large(most: int, hint: str) -> ExemplarError:
    return ExemplarError("body_too_large", f"expected a body of at most {size_text(most)}{hint}")
