"""XMP sidecars of reviewed pictures: the final label in a file next to each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from cli.client import Json
from cli.tag.sidecar import put_sidecar, sidecar_of

OUTCOMES = {
    "sidecars_written": "written",
    "sidecars_none": "without a label",
    "sidecars_kept": "kept of other software",
}
MISSING = "not found"


def write_sidecars(
    answers: Iterable[Json], folder: Path, collection: str, *, overwrite: bool
) -> Mapping[str, int]:
    """Write the sidecars of answers whose `custom_id` is a path below a folder; return the outcomes."""
    counts = Counter(dict.fromkeys((*OUTCOMES.values(), MISSING), 0))
    top = os.path.realpath(folder)
    for answer in answers:
        picture = os.path.realpath(os.path.join(top, answer["custom_id"] or ""))
        if os.path.commonpath([top, picture]) != top or not os.path.isfile(picture):
            counts[MISSING] += 1
            continue
        counts[OUTCOMES[put_sidecar(picture, sidecar_of(collection, answer), overwrite=overwrite)]] += 1
    return counts
