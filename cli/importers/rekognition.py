"""Amazon Rekognition Custom Labels: a SageMaker Ground Truth manifest, one JSON line per picture.

The format: `source-ref` and, for each label, an attribute with its `ATTRIBUTE-metadata`, whose `type`
gives its kind: see "Image-level labels in manifest files" and "Object localization in manifest files" in the
Rekognition Custom Labels Guide. A picture has several labels by several such attributes, or by one of the
type `groundtruth/image-classification-multilabel` (SageMaker's multi-label image classification job output).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from cli.importers.labelled import Box, Found, LabelledPicture, Unusable, box_of, crop
from cli.importers.places import Places
from core.errors import ExemplarError

METADATA = "-metadata"
WHOLE, BOXES = "groundtruth/image-classification", "groundtruth/object-detection"
SEVERAL = "groundtruth/image-classification-multilabel"


def read_rekognition(path: Path, places: Places, *, crops: bool) -> Found:
    """Yield the pictures of a manifest; with `crops`, each box becomes a picture."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield from _of_line(line, f"line {number}", places, crops=crops)


def _of_line(line: str, at: str, places: Places, *, crops: bool) -> Found:
    try:
        row = json.loads(line)
        place = str(row["source-ref"])
        labels, boxes = list(_labels(row)), list(_boxes(row))
    except ExemplarError as error:
        yield Unusable(at, error)
        return
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield Unusable(
            at, ExemplarError("manifest_invalid", f"expected a line of Ground Truth: {error!r}"[:200])
        )
        return
    read = partial(places.read, place)
    if crops and boxes:
        for label, box in boxes:
            yield LabelledPicture(f"{at}, {label}", (label,), partial(crop, read, box), place[:256])
    else:
        hint = f"{len(boxes)} boxes need --crop" if boxes else ""
        yield LabelledPicture(at, tuple(labels), read, place[:256], complete=True, hint=hint)


def _metadata(row: dict[str, Any], type_: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in row.items():
        if name.endswith(METADATA) and isinstance(value, dict) and value.get("type") == type_:
            yield name.removesuffix(METADATA), value


def _labels(row: dict[str, Any]) -> Iterator[str]:
    for _, metadata in _metadata(row, WHOLE):
        yield str(metadata["class-name"])
    for name, metadata in _metadata(row, SEVERAL):
        for number in row[name]:
            yield str(metadata["class-map"][str(number)])


def _boxes(row: dict[str, Any]) -> Iterator[tuple[str, Box]]:
    for name, metadata in _metadata(row, BOXES):
        for one in row[name]["annotations"]:
            yield str(metadata["class-map"][str(one["class_id"])]), box_of(one, relative=False)
