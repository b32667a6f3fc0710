"""The inputs of the embeddings call: pictures in three forms, and texts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.inputs import Image, Strict
from api.services import require_text_encoder, services
from core.base64_text import decode_base64
from core.errors import ExemplarError
from core.sizes import size_text

MAX_TEXT = 2048
PICTURE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF8", b"II*\0", b"MM\0*")
SHORTEST_PICTURE = 64  # characters of base64; no picture file is smaller


class Picture(Strict):
    """A picture to embed."""

    image: Image


OneInput = Annotated[str, Field(min_length=1)] | Picture


class EmbeddingsRequest(BaseModel):
    """Pictures or texts to embed, named as in OpenAI's call."""

    input: OneInput | Annotated[list[OneInput], Field(min_length=1)] = Field(
        description="One or several: a data: URL or base64 of a picture, {image: {base64}}, or a text for an "
        "encoder with a text side."
    )
    model: str = Field(description="An encoder this service offers, or a collection: its encoder and views.")
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(None, description="Must be the encoder's own dimension if given.")
    user: str | None = Field(None, description="Accepted and ignored.")


def content_of(one: str | Picture) -> bytes | None:
    """Return the bytes of a picture, or None if the input is a text.

    Raises `url_not_allowed`, `picture_missing`, `item_invalid` or `picture_too_many_bytes`.
    """
    if isinstance(one, Picture):
        url, encoded = one.image.url, one.image.base64
    else:
        url, encoded = (one, None) if one.startswith("data:") else (None, one)
    if url is not None:
        head, comma, encoded = url.partition(",")
        if not (head.startswith("data:image/") and head.endswith(";base64") and comma):
            raise ExemplarError("url_not_allowed", "expected data:image/...;base64,..., got another URL")
    elif isinstance(one, str) and not _is_picture(one):
        return None
    if not encoded:
        raise ExemplarError(
            "picture_missing", "expected image.base64 or image.url with a data: URL, got none"
        )
    try:
        content = decode_base64(encoded)
    except ValueError as error:
        raise ExemplarError("item_invalid", str(error)) from error
    most = services().settings.max_picture_bytes
    if len(content) > most:
        raise ExemplarError("picture_too_many_bytes", f"expected a picture of at most {size_text(most)}")
    return content


def _is_picture(text: str) -> bool:
    """Return whether a bare string is base64 that starts like a picture file; any other is a text."""
    if len(text) < SHORTEST_PICTURE:
        return False
    try:
        return decode_base64(text[:SHORTEST_PICTURE]).startswith(PICTURE_STARTS)
    except ValueError:
        return False


def check_text(encoder: str, text: str) -> None:
    """Raise `text_side_missing` if the encoder's kind has no text side, or `item_invalid`."""
    hint = "; pictures come as data: URLs, base64 or {image: {base64}}"
    require_text_encoder(encoder, purpose="texts", hint=hint)
    if len(text) > MAX_TEXT:
        raise ExemplarError(
            "item_invalid", f"expected a text of at most {MAX_TEXT} characters, got {len(text)}"
        )
