"""Manifests of pictures with several labels, for `exemplar evaluate`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import ExemplarError
from core.label_sets import FLAGS, split_labels, with_parents
from core.labels import clean_label
from formats.manifests import read_records

COLUMNS = ("path", "labels", "complete")


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture file and its labels; all others are absent if they are complete, else not stated."""

    path: Path
    labels: tuple[str, ...]
    complete: bool


def read_label_manifest(manifest: Path, *, complete: bool) -> list[LabelledPicture]:
    """Return the pictures of a manifest in the order of their paths; paths are relative to it.

    `complete` counts where a row does not say. A picture in several rows has the labels of all of them.
    Raises `manifest_invalid`, or what is wrong with a row, with its line.
    """
    found: dict[str, LabelledPicture] = {}
    for number, cells in _rows(manifest):
        try:
            one = _picture(manifest.parent, cells, complete=complete)
        except ExemplarError as error:
            raise ExemplarError(error.code, f"{manifest}, line {number}: {error.message}") from error
        earlier = found.get(cells["path"])
        if earlier is not None:
            labels = tuple(sorted({*earlier.labels, *one.labels}))
            one = replace(one, labels=labels, complete=earlier.complete or one.complete)
        found[cells["path"]] = one
    if not found:
        raise ExemplarError("manifest_invalid", f"{manifest}: expected pictures, got none")
    return [found[path] for path in sorted(found)]


def _rows(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of the last line of each row, and its cells by column."""
    expected = "path and labels, and maybe complete"
    try:
        with manifest.open("rb") as file:
            for number, cells in read_records(file, COLUMNS, expected, required=COLUMNS[:2]):
                if isinstance(cells, ExemplarError):
                    raise cells
                yield number, cells
    except OSError as error:
        raise ExemplarError("path_unreadable", f"{manifest}: {error.strerror}") from error
    except ExemplarError as error:
        raise ExemplarError(error.code, f"{manifest}, {error.message}") from error


def _picture(folder: Path, cells: dict[str, str], *, complete: bool) -> LabelledPicture:
    path = folder / cells["path"]
    if not cells["path"] or not path.is_file():
        raise ExemplarError("path_missing", f"expected the path of a picture, got {cells['path']!r}")
    labels = {_label(part) for part in split_labels(cells["labels"])}
    stated = _complete(cells.get("complete", ""))
    if not labels and stated is False:
        raise ExemplarError(
            "labels_invalid",
            "expected labels, or complete=true for a picture that has none of them; got neither",
        )
    return LabelledPicture(
        path, tuple(sorted(with_parents(labels))), (not labels or complete) if stated is None else stated
    )


def _label(text: str) -> str:
    label = clean_label(text)
    if not all(part.strip() for part in label.split("/")):
        raise ExemplarError("label_invalid", f"expected a label without empty parts, got {label!r}")
    return label


def _complete(text: str) -> bool | None:
    word = text.strip().lower()
    if word and word not in FLAGS:
        raise ExemplarError("manifest_invalid", f"expected true or false in complete, got {text!r}")
    return FLAGS[word] if word else None
