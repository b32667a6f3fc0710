"""Validation of names: labels of classes and slugs of collections."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable

from core.errors import ExemplarError

MAX_LABEL = 128
_SLUG = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # control, bidi and other invisible characters
_JOINERS = "\u200c\u200d"  # used in Persian and Indic words and in emoji sequences
_SEVERAL = "\x1f"  # no label has control characters
_REPLACED = "\N{REPLACEMENT CHARACTER}"


def clean_label(text: object, *, exists: bool = False) -> str:
    """Return a label in NFC, trimmed; raise `label_missing`, `label_too_long` or `label_invalid`.

    A label with U+FFFD is only taken for a class that exists: it was decoded from bytes of another encoding.
    """
    if not isinstance(text, str) or not text.strip():
        raise label_missing()
    label = unicodedata.normalize("NFC", text.strip())
    if len(label) > MAX_LABEL:
        raise ExemplarError(
            "label_too_long", f"expected a label of at most {MAX_LABEL} characters, got {len(label)}"
        )
    if _REPLACED in label and not exists:
        raise ExemplarError("label_invalid", f"expected a label in UTF-8, got other bytes: {label!r}")
    seen = label.translate({ord(joiner): None for joiner in _JOINERS})
    if not seen or any(unicodedata.category(character) in _UNSEEN for character in seen):
        raise ExemplarError(
            "label_invalid",
            "expected a label of visible characters in UTF-8, got control characters or other bytes",
        )
    if any(part in (".", "..") for part in label.split("/")):  # these have a special meaning in URL paths
        raise ExemplarError("label_invalid", f"expected a label without the parts . and .., got {label!r}")
    return label


def pack_labels(labels: Iterable[str]) -> str:
    """Return several labels as one text that is no label itself; equal sets give equal texts."""
    return _SEVERAL + json.dumps(sorted(set(labels)), ensure_ascii=False)


def unpack_labels(text: str | None) -> tuple[str, ...]:
    """Return the labels of such a text, those of a single label, or none."""
    if text is None:
        return ()
    return tuple(json.loads(text[1:])) if text.startswith(_SEVERAL) else (text,)


def label_missing() -> ExemplarError:
    """Return the error for a picture without a label."""
    return ExemplarError("label_missing", "expected a label, got none; name the class this picture shows")


def check_slug(text: str) -> str:
    """Return a collection's name; raise `name_invalid` unless it is a slug of 1 to 63 characters."""
    if _SLUG.fullmatch(text) is None:
        raise ExemplarError(
            "name_invalid",
            "expected 1 to 63 of a-z, 0-9, - and _, beginning and ending with a letter or digit, "
            f"got {text[:80]!r}",
        )
    return text
