"""Items and results of jobs without what is to be erased."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import ExemplarError, problem_of
from core.jobs import Item
from core.results import Result, Shown, failed_result, with_supports
from store.erasure.targets import PART, UPLOAD, Targets

Packed = Mapping[str, Any]
"""An item as chunks store it."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The items and results of a chunk after an erasure, and what was taken out of them."""

    inputs: list[Packed]
    results: list[Result] | None
    items: tuple[int, ...]
    """Those that are gone."""
    mentions: int
    """Supports that were shown to other items and are not shown any more."""
    files: list[tuple[str, str]] = field(default_factory=list)
    """The uploaded files of these items, as targets."""

    @property
    def is_changed(self) -> bool:
        """Whether there was anything."""
        return bool(self.items or self.mentions)


def clean(
    job_id: str,
    inputs: Sequence[Packed],
    results: Sequence[Result] | None,
    targets: Targets,
    *,
    target: str | None = None,
) -> Cleaned:
    """Return what is left of a chunk; `target` is the job whose answers its job decides again."""
    of_item = {result["item"]: result for result in results or ()}
    known = {item for of_job, item in targets.items if of_job in (job_id, target)}
    gone = [
        one for one in inputs if one["index"] in known or _is_target(one, of_item.get(one["index"]), targets)
    ]
    items = tuple(one["index"] for one in gone)
    kept = [_erased_item(one["index"]) if one["index"] in items else one for one in inputs]
    if results is None:
        return Cleaned(kept, None, items, 0, _files(job_id, gone))
    cleaned = [clean_result(one, targets, items) for one in results]
    return Cleaned(
        kept, [one for one, _ in cleaned], items, sum(count for _, count in cleaned), _files(job_id, gone)
    )


def clean_result(result: Result, targets: Targets, items: Collection[int]) -> tuple[Result, int]:
    """Return a result, as failed if its item is erased, without these supports; and how many it named."""
    if result["item"] in items:
        return failed_result(Item(result["item"]), erased()), 0
    count = 0

    def left(shown: Shown) -> Shown:
        nonlocal count
        kept = [one for one in shown if not _names(one, targets)]
        count += len(shown) - len(kept)
        return kept

    return with_supports(result, left), count


def erased() -> ExemplarError:
    """Return the error of an item whose picture was erased."""
    return ExemplarError("picture_erased", "this picture was erased on request, with all that it gave")


def _names(support: Mapping[str, Any], targets: Targets) -> bool:
    """Return whether an entry is about an erased support, or gives it the id that it had then."""
    if support.get("support_id") in targets.supports:
        return True
    return targets.external_id is not None and support.get("external_id") == targets.external_id


def _is_target(item: Packed, result: Result | None, targets: Targets) -> bool:
    if item.get("picture") in targets.pictures or item.get("support") in targets.supports:
        return True
    known = [item.get("external_id"), item.get("custom_id")]
    if result is not None:
        known.append(result.get("custom_id"))
        if result.get("support_id") in targets.supports:
            return True
    return targets.external_id is not None and targets.external_id in known


def _erased_item(index: int) -> Packed:
    """Return an item as one that was refused, which no retry tries again."""
    return {"index": index, "problem": problem_of(erased())}


def _files(job_id: str, items: Sequence[Packed]) -> list[tuple[str, str]]:
    found = []
    for item in items:
        place = item.get("place") or ""
        if place.startswith("pack:"):
            found.append((PART, f"{job_id}/{place.removeprefix('pack:')}"))
        elif item.get("picture"):
            found.append((UPLOAD, f"{job_id}/{item['picture']}"))
    return found
