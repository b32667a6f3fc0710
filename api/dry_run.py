"""What a bulk job would do, counted without decoding a picture."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from api.models import DryProblem, DryRun, LabelCount, ProblemModel
from core.errors import problem_of
from core.jobs import JobKind
from core.label_sets import with_parents
from formats.entry import Entry
from store.work.kinds import KINDS

DRY_RUN_S = 10.0  # time limit of a dry run: enough for every item of a zip, or some gigabytes of a packed tar
MOST_PROBLEMS = 20  # in the answer of a dry run


def _labels(entry: Entry) -> set[str]:
    """Return the labels that an item would get, with what they imply if it may have several."""
    if entry.labels is not None:
        return with_parents(entry.labels)
    return set() if entry.label is None else {entry.label}


def tally_of(collection: str, kind: JobKind, steps: Iterator[Entry | None]) -> DryRun:
    """Count what a job would do, for `DRY_RUN_S` at most, since a call holds one of the API's few threads."""
    until = time.monotonic() + DRY_RUN_S
    complete = True
    labels: Counter[str] = Counter()
    problems: list[DryProblem] = []
    items = failing = size = 0
    for entry in steps:
        if time.monotonic() > until and items:
            complete = False
            break
        if entry is None:
            continue
        if entry.error is not None:
            failing += 1
            if len(problems) < MOST_PROBLEMS:
                problem = ProblemModel.model_validate(problem_of(entry.error))
                problems.append(DryProblem(item=items, custom_id=entry.custom_id, error=problem))
        else:
            size += entry.size
            if KINDS[kind].enrols:
                labels.update(_labels(entry))
        items += 1
    return DryRun(
        collection=collection,
        kind=kind,
        complete=complete,
        items=items,
        failing=failing,
        bytes=size,
        classes=[LabelCount(label=label, items=count) for label, count in sorted(labels.items())],
        problems=problems,
    )
