"""Labels of FiftyOne: the `labels.json` of a FiftyOneImageClassificationDataset.

The format: https://docs.voxel51.com/user_guide/export_datasets.html#fiftyoneimageclassificationdataset
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from posixpath import splitext
from typing import Any

from core.errors import ExemplarError
from core.results import Result, has_several
from formats.reviewed_items import Entry, Refused, Reviewed, read_document


def labels_of(answers: Iterable[Result]) -> dict[str, Any]:
    """Return the final labels by the names of the pictures without suffix, null for none.

    Raises `item_ambiguous` if two pictures have the same name without suffix, and `labels_invalid` if they
    have several labels.
    """
    found: dict[str, Result] = {}
    for answer in answers:
        if has_several(answer):
            raise ExemplarError(
                "labels_invalid",
                "expected answers of one label: this form of FiftyOne's has one a picture; use label-studio",
            )
        name = splitext((answer.get("custom_id") or str(answer["item"])).lstrip("/"))[0]
        if name in found:
            raise ExemplarError(
                "item_ambiguous",
                f"FiftyOne names pictures without their suffix, and items {found[name]['item']} and "
                f"{answer['item']} are both {name!r}; select one of them, for instance by --path",
            )
        found[name] = answer
    classes = sorted({one["final_label"] for one in found.values() if one["final_label"] is not None})
    index = {label: number for number, label in enumerate(classes)}
    return {
        "classes": classes,
        "labels": {name: index.get(one["final_label"]) for name, one in found.items()},
    }


def read_labels(text: str) -> Iterator[Entry]:
    """Yield the labels of a file; a picture without one is left out.

    Raises `manifest_invalid` if the file has no object `labels`, or its `classes` are no list.
    """
    document = read_document(text)
    labels = document.get("labels") if isinstance(document, dict) else None
    if not isinstance(labels, dict):
        raise ExemplarError("manifest_invalid", 'expected {"classes": [...], "labels": {...}}')
    classes = document.get("classes")
    if classes is not None and not isinstance(classes, list):
        raise ExemplarError("manifest_invalid", "expected classes as a list of labels")
    for name, given in labels.items():
        target = given.get("label") if isinstance(given, dict) else given  # maybe with a confidence
        if target is None:
            continue
        label = _label(target, classes)
        if label is None:
            expected = "a label" if classes is None else f"the number of one of the {len(classes)} classes"
            yield Refused.because(f"label of {name!r}", f"expected {expected}, got {str(target)[:80]}")
        else:
            yield Reviewed(f"label of {name!r}", [name], (label,))


def _label(target: Any, classes: list[Any] | None) -> str | None:
    if classes is None:
        return target if isinstance(target, str) else None
    if isinstance(target, bool) or not isinstance(target, int) or not 0 <= target < len(classes):
        return None
    return classes[target] if isinstance(classes[target], str) else None
