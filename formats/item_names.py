"""The items of a job by the names that other tools give their pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from posixpath import splitext

from core.errors import ExemplarError

Parts = tuple[str, ...]


class ItemNames:
    """Finds items by the end of a path: `birds/a.jpg` is the item `/album/birds/a.jpg`, and the reverse."""

    def __init__(self, names: Iterable[tuple[int, str | None]]) -> None:
        """Take the items with their names; one without a name is named by its number."""
        self._by_last: defaultdict[str, list[tuple[int, Parts]]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[tuple[int, Parts]]] = defaultdict(list)
        for item, name in names:
            parts = _parts(name or str(item))
            self._by_last[parts[-1]].append((item, parts))
            self._by_stem[splitext(parts[-1])[0]].append((item, parts))

    def find(self, names: Sequence[str]) -> int:
        """Return the item of the first of these names that one has, with or without its suffix.

        Raises `item_not_found`, or `item_ambiguous` if several have it.
        """
        for name in names:
            parts = _parts(name)
            for among in (self._by_last, self._by_stem):
                found = _matching(among.get(parts[-1], ()), parts)
                if len(found) == 1:
                    return found[0]
                if found:
                    raise ExemplarError(
                        "item_ambiguous",
                        f"{name!r} names several items, such as {found[0]} and {found[1]}; "
                        "give more of their path",
                    )
        raise ExemplarError(
            "item_not_found", f"no item of this job is named {' or '.join(map(repr, dict.fromkeys(names)))}"
        )


def _matching(candidates: Sequence[tuple[int, Parts]], parts: Parts) -> list[int]:
    """Return the items whose folders end as the others do; only those with all the same, if there are any."""
    folders = parts[:-1]
    same = [item for item, theirs in candidates if theirs[:-1] == folders]
    return same or [item for item, theirs in candidates if _end_alike(theirs[:-1], folders)]


def _end_alike(ours: Parts, theirs: Parts) -> bool:
    common = min(len(ours), len(theirs))
    return ours[len(ours) - common :] == theirs[len(theirs) - common :]


def _parts(name: str) -> Parts:
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", ".")) or (name,)
