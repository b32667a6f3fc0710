"""Pictures as base64, in the forms in which programs send them."""

from __future__ import annotations

import base64

_URL_SAFE = str.maketrans("-_", "+/")


def decode_base64(text: str) -> bytes:
    """Return the bytes of base64 (RFC 4648): also with line breaks, URL-safe, unpadded, or as a data: URL.

    Raises ValueError for anything else.
    """
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise ValueError("expected a data: URL with ;base64, before its content")
    text = "".join(text.split()).rstrip("=").translate(_URL_SAFE)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise ValueError(f"expected base64: {error}") from error
