"""A tree of the tagged pictures with one folder per class."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import chain, count
from typing import Any

from core.collections import DecisionName
from core.results import labels_of
from runtime.files import replacing

UNKNOWN = "_unknown"
AMBIGUOUS = "_ambiguous"
NONE = "_none"
_NAMELESS = {DecisionName.AMBIGUOUS: AMBIGUOUS, DecisionName.NONE: NONE}
NAME_BYTES = 255
_FORBIDDEN = set('/\\:*?"<>|%')
_DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))}


class By(StrEnum):
    """How a picture is put into the tree."""

    COPY = "copy"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


def folders_of(answer: Mapping[str, Any]) -> list[str]:
    """Return the folders of a picture for its answer: one, or one for each of several labels."""
    labels = labels_of(answer) if answer["decision"] == DecisionName.KNOWN else ()
    if labels:
        return [safe_name(label) for label in labels]
    return [_NAMELESS.get(answer["decision"], UNKNOWN)]


def safe_name(label: str) -> str:
    """Return a folder name that every file system accepts, unique for each label.

    Characters that some system forbids are written like `%2F`, as in URLs; a long name ends with a digest.
    """
    name = "".join(_escaped(c) if c in _FORBIDDEN or not c.isprintable() else c for c in label)
    if name[0] in "._ " or name.split(".")[0].lower() in _DEVICES:
        name = _escaped(name[0]) + name[1:]
    if name[-1] in ". ":
        name = name[:-1] + _escaped(name[-1])
    if len(name.encode()) <= NAME_BYTES:
        return name
    digest = hashlib.sha256(label.encode()).hexdigest()[:12]
    return f"{_cut(name, NAME_BYTES - 13)}~{digest}"


def names_for(folder: str, picture: str) -> Iterator[str]:
    """Yield free paths for a picture in a folder: its name, then longer ones."""
    stem, suffix = os.path.splitext(os.path.basename(picture))
    digest = hashlib.sha256(os.fsencode(picture)).hexdigest()[:8]
    for more in chain(("", f"~{digest}"), (f"~{digest}~{number}" for number in count(2))):
        path = os.path.join(folder, _cut(stem, NAME_BYTES - len(os.fsencode(more + suffix))) + more + suffix)
        if not os.path.lexists(path):
            yield path


def place(picture: str, target: str, by: By) -> None:
    """Put a picture at a path of the tree, replacing an existing one. Raises OSError."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with replacing(target, durable=False) as draft:
        if by is By.COPY:
            shutil.copy2(picture, draft)
        elif by is By.HARDLINK:
            os.link(picture, draft)
        else:
            os.symlink(picture, draft)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _cut(name: str, size: int) -> str:
    content = os.fsencode(name)
    return name if len(content) <= size else content[:size].decode(errors="ignore")
