"""Paths as different systems write them, and the names of what systems leave in folders."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

SYSTEM_NAMES = frozenset(
    {
        "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information",  # Windows
        "__macosx",  # macOS, in archives
        "@eadir", "#recycle", "@recycle", "#snapshot", "@recently-snapshot",  # Synology and QNAP
        "lost+found",
    }
)  # fmt: skip
"""Files and folders of systems, in lowercase; what begins with a dot is left out too."""


def plain_path(path: str) -> str:
    """Return a path without `./` before it."""
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return path


def match_key(path: str) -> str:
    """Return what is the same for all spellings of a path: with `/`, in NFC, without `./` before it."""
    return plain_path(unicodedata.normalize("NFC", path.replace("\\", "/")))


def printable_text(text: str) -> str:
    """Return a text with each character replaced that a result, a CSV or a database could not hold."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def spellings(path: str) -> Iterator[str]:
    """Yield a path as it is written, then as other systems would write it, each once."""
    slashed = path.replace("\\", "/")
    forms = (unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))
    yield from dict.fromkeys((path, slashed, *forms))
