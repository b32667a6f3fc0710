"""Stored pictures, newly encoded at the size that a caller wants."""

from __future__ import annotations

from flask import Response
from pydantic import Field

from api.inputs import Strict
from api.services import services

SIDE, MOST_SIDE = 160, 2048  # px; as core.pictures, which loads Pillow


class ThumbnailQuery(Strict):
    """The size of a picture to show."""

    side: int = Field(
        SIDE, ge=16, le=MOST_SIDE, description="The longer side in pixels; a picture is never enlarged."
    )


def encode_thumbnail(content: bytes, side: int) -> bytes:
    """Return a stored picture as a JPEG of at most `side` pixels a side."""
    from core.pictures import decode_picture, make_thumbnail  # noqa: PLC0415 - Pillow, which few calls need

    settings = services().settings
    picture = decode_picture(
        content,
        max_pixels=settings.max_pixels,
        draft_side=2 * side,  # so that a JPEG can be decoded at a reduced size
        formats_off=settings.formats_off,
    )
    return make_thumbnail(picture, side)


def show_thumbnail(content: bytes) -> Response:
    """Return an answer that a browser may keep for a day."""
    response = Response(content, content_type="image/jpeg")
    response.headers["Cache-Control"] = "private, max-age=86400"
    return response
