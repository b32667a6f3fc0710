"""Which folder names the class of a local picture, for commands that read folders of classes."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from cli.pictures import Picture
from formats.class_folders import ClassFrom, ambiguous

CLASS_FROM = click.option(
    "--class-from",
    type=click.Choice([one.value for one in ClassFrom]),
    help="Which folder names a picture's class: the nearest one, or the top one below the folder given. By "
    "default the nearest, and folders of one name in different places are refused.",
)


def choose_classes(
    pictures: Sequence[Picture], roots: Sequence[Path], class_from: str | None
) -> list[Picture]:
    """Return the pictures with the classes of the chosen folders below `roots`.

    Without a choice it is the nearest; raises `class_ambiguous` where two folders would become one class.
    """
    if class_from == ClassFrom.TOP:
        return [_of_top(picture, roots) for picture in pictures]
    folders: dict[str, Path] = {}
    for picture in pictures if class_from is None else ():
        folder = picture.path.absolute().parent
        first = folders.setdefault(unicodedata.normalize("NFC", picture.label).strip(), folder)
        if _place(first, roots) != _place(folder, roots):
            shown = [_shown(one, roots) for one in (first, folder)]
            raise ambiguous(picture.label, shown[0], shown[1], option="--class-from ")
    return list(pictures)


def _place(folder: Path, roots: Sequence[Path]) -> Path:
    """Return where a folder is below its root: a class may be in the same place of several roots."""
    below = _below(folder, roots)
    return below if below.parts else folder


def _of_top(picture: Picture, roots: Sequence[Path]) -> Picture:
    parts = _below(picture.path.absolute().parent, roots).parts
    return replace(picture, label=parts[0]) if parts else picture


def _below(folder: Path, roots: Sequence[Path]) -> Path:
    """Return a folder as seen from the root that holds it; `.` for a root."""
    root = next(root.absolute() for root in roots if folder.is_relative_to(root.absolute()))
    return folder.relative_to(root)


def _shown(folder: Path, roots: Sequence[Path]) -> str:
    below = _below(folder, roots)
    return below.as_posix() if below.parts and len(roots) == 1 else str(folder)
