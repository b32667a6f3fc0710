"""The class that a picture's folders name."""

from __future__ import annotations

import unicodedata
from enum import StrEnum

from core.errors import ExemplarError

MOST_FOLDERS = 1 << 16  # that are remembered, so that an archive of folders takes little memory


class ClassFrom(StrEnum):
    """Which of a picture's folders names its class."""

    NEAREST = "nearest"
    TOP = "top"


class ClassFolders:
    """Names the class of each path, and refuses to merge folders that were not said to be one class."""

    def __init__(self, chosen: ClassFrom | str | None = None) -> None:
        self._chosen = None if chosen is None else ClassFrom(chosen)
        self._folders: dict[str, str] = {}

    @property
    def remembers(self) -> bool:
        """Whether the class of a path depends on the paths before it."""
        return self._chosen is None

    def class_of(self, path: str) -> str | None:
        """Return the name of the chosen folder of a file's path, or None for a file without folders.

        Without a choice it is the nearest; raises `class_ambiguous` where another folder of that name came
        before. The answer depends on the paths given before and on nothing else.
        """
        folder = unicodedata.normalize("NFC", path).rpartition("/")[0].strip("/")
        if not folder:
            return None
        if self._chosen is ClassFrom.TOP:
            return folder.split("/")[0]
        label = folder.rpartition("/")[2]
        if self._chosen is None:
            self._check(label.strip(), folder)
        return label

    def _check(self, label: str, folder: str) -> None:
        first = self._folders.get(label)
        if first is None and len(self._folders) < MOST_FOLDERS:
            self._folders[label] = folder
        elif first not in (None, folder):
            raise ambiguous(label, str(first), folder)


def ambiguous(label: str, first: str, second: str, *, option: str = "class_from=") -> ExemplarError:
    """Return the error of two folders that would become one class."""
    tops = " and ".join(dict.fromkeys(repr(one.strip("/").split("/")[0][:60]) for one in (first, second)))
    return ExemplarError(
        "class_ambiguous",
        f"both folders {first[:200]!r} and {second[:200]!r} would become the class {label[:100]!r}; choose "
        f"{option}nearest if they shall, or {option}top for the classes of the top folders: {tops}",
    )
