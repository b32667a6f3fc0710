"""Answers of a job as files of other tools, and the labels that people gave there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.client import Client, Json
from core.errors import ExemplarError
from core.results import has_several
from formats.fiftyone import labels_of, read_labels
from formats.item_names import ItemNames
from formats.label_studio import read_tasks, task_of
from formats.reviewed_items import Entry, Refused
from formats.text_encoding import read_text
from runtime.files import write

LABEL_STUDIO, FIFTYONE = "label-studio", "fiftyone"
FORMATS = (LABEL_STUDIO, FIFTYONE)

_READERS: Mapping[str, Callable[[str], Iterator[Entry]]] = {LABEL_STUDIO: read_tasks, FIFTYONE: read_labels}


@dataclass(slots=True)
class Labels:
    """The items of each label in a file, or of several, empty for none, and the entries that give none."""

    items: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)


def write_answers(
    file: Path, format_: str, answers: Iterable[Json], job_id: str, image: Callable[[Json], str]
) -> int:
    """Write answers for another tool, which finds pictures at `image`; return how many."""
    found = list(answers)
    document: object = (
        labels_of(found) if format_ == FIFTYONE else [task_of(one, image(one), job_id) for one in found]
    )
    write(str(file), json.dumps(document, ensure_ascii=False, indent=1).encode())
    return len(found)


def read_labels_of(file: Path, format_: str, results: Iterable[Json], known: Iterable[str] | None) -> Labels:
    """Return the labels that a file gives to the items of a job; `known` are the labels it may give.

    Raises `manifest_invalid` if it is no such file.
    """
    by_item = {one["item"]: one for one in results}
    names = ItemNames((item, one["custom_id"]) for item, one in by_item.items())
    allowed = None if known is None else set(known)
    found, given, text = Labels(), dict[int, tuple[str, ...]](), read_text(file)
    try:
        for entry in _READERS[format_](text):
            if isinstance(entry, Refused):
                found.refused.append(entry)
                continue
            try:
                item = names.find(entry.names)
                _check(by_item[item], entry.labels, allowed, given)
            except ExemplarError as error:
                found.refused.append(Refused(entry.place, error))
                continue
            if item not in given:
                found.items.setdefault(entry.labels, []).append(item)
            given[item] = entry.labels
    except ExemplarError as error:
        raise ExemplarError(error.code, f"{file}: {error}") from error
    return found


def labels_in(client: Client, collection: str) -> Iterator[str]:
    """Yield the labels of a collection."""
    return (one["label"] for one in client.pages(f"/v1/collections/{collection}/classes"))


def _check(
    result: Json, labels: tuple[str, ...], allowed: set[str] | None, given: Mapping[int, tuple[str, ...]]
) -> None:
    item = result["item"]
    if "decision" not in result:
        raise ExemplarError("item_not_found", f"item {item} has no answer: it failed")
    if len(labels) > 1 and not has_several(result):
        raise ExemplarError("labels_invalid", f"item {item}: expected one choice, got {', '.join(labels)}")
    for label in labels:
        if allowed is not None and label not in allowed:
            raise ExemplarError(
                "class_not_found", f"the collection has no class {label!r}; create it, or pass --new-labels"
            )
    if given.get(item, labels) != labels:
        before = ", ".join(given[item]) or "none"
        raise ExemplarError("item_ambiguous", f"item {item} already has the label {before!r} in this file")
