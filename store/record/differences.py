"""The difference between two versions of a collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.changes import ClassChange
from core.collections import ClassKind
from store.database import Database
from store.record.collections import find_collection
from store.record.past import changed_supports, classes_at
from store.record.versions import reached_version, rule_at

Labels = tuple[str, ...]
"""The label of a support, or all of them where a picture may have several."""


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many supports of a label came, went, and changed their labels to and from it."""

    label: str
    added: int = 0
    removed: int = 0
    moved_in: int = 0
    moved_out: int = 0


@dataclass(frozen=True, slots=True)
class SupportDifference:
    """The labels of a support at two versions; None where it was not there."""

    id: int
    before: Labels | None
    after: Labels | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two versions; `total` supports, of which `supports` are a page."""

    from_version: int
    to_version: int
    added: Sequence[str]
    removed: Sequence[str]
    renamed: Sequence[tuple[str, str]]
    kinds: Sequence[tuple[str, ClassKind, ClassKind]]
    rule: Mapping[str, tuple[Any, Any]]
    counts: Sequence[ClassCount]
    total: int
    supports: Sequence[SupportDifference]


class Differences:
    """Compares the versions of the record's collections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def between(
        self, name: str, from_version: int, to_version: int, *, after: int = 0, limit: int = 100
    ) -> Difference:
        """Compare two versions in either order, with the differing supports after an id.

        Raises `collection_not_found`, `version_gone` or `version_invalid`.
        """
        with self._database.read() as connection:
            row = find_collection(connection, name)
            low, high = (reached_version(connection, row, one) for one in (from_version, to_version))
            then, now = ({one.id: one for one in classes_at(connection, row.id, at)} for at in (low, high))
            had, has = (changed_supports(connection, row.id, at, since=min(low, high)) for at in (low, high))
            was, rule = (asdict(rule_at(connection, row, at)) for at in (low, high))
        differing = [id_ for id_ in sorted(had.keys() | has.keys()) if had.get(id_) != has.get(id_)]
        labels = {id_: (_labels(then, had.get(id_)), _labels(now, has.get(id_))) for id_ in differing}
        both = [(one, now[id_]) for id_, one in then.items() if id_ in now and _is_label(one)]
        return Difference(
            low,
            high,
            added=sorted(one.label for id_, one in now.items() if id_ not in then and _is_label(one)),
            removed=sorted(one.label for id_, one in then.items() if id_ not in now and _is_label(one)),
            renamed=sorted((one.label, other.label) for one, other in both if one.label != other.label),
            kinds=sorted((two.label, one.kind, two.kind) for one, two in both if one.kind != two.kind),
            rule={field: (was[field], rule[field]) for field in was if was[field] != rule[field]},
            counts=_counts(labels.values()),
            total=len(differing),
            supports=[SupportDifference(id_, *labels[id_]) for id_ in differing if id_ > after][:limit],
        )


def _is_label(one: ClassChange) -> bool:
    return one.kind is not ClassKind.SET


def _labels(classes: Mapping[int, ClassChange], class_id: int | None) -> Labels | None:
    if class_id is None:
        return None
    one = classes[class_id]
    return (one.label,) if _is_label(one) else tuple(sorted(classes[label].label for label in one.members))


def _counts(pairs: Iterable[tuple[Labels | None, Labels | None]]) -> list[ClassCount]:
    """Count by label: a support that had none of its labels before, or has none now, came or went."""
    counts: dict[str, Counter[str]] = {}
    for before, after in pairs:
        for label in set(before or ()) - set(after or ()):
            counts.setdefault(label, Counter())["removed" if after is None else "moved_out"] += 1
        for label in set(after or ()) - set(before or ()):
            counts.setdefault(label, Counter())["added" if before is None else "moved_in"] += 1
    return [ClassCount(label, **counts[label]) for label in sorted(counts)]
