"""What happens to a picture once it is tagged, in addition to its row: a sidecar, a place in a class tree."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.tag.journal import Journal
from cli.tag.journal_rows import Numbered
from cli.tag.listing import Kind
from cli.tag.rows import Row
from cli.tag.show import Show
from cli.tag.sidecar import put_sidecar, sidecar_of
from cli.tag.sort import By, folders_of, names_for, place

Tagged = tuple[Numbered, Row]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The requested actions; without a folder to sort into there is no tree."""

    collection: str
    sidecars: bool = False
    overwrite_sidecars: bool = False
    sort_into: Path | None = None
    by: By = By.COPY


class Actions:
    """Runs the requested actions on pictures; it is idempotent."""

    def __init__(self, wanted: Wanted, journal: Journal, show: Show) -> None:
        self._wanted = wanted
        self._journal = journal
        self._show = show

    def do(self, tagged: Sequence[Tagged]) -> Counter[str]:
        """Write sidecars and sort pictures; return how many there are of each outcome."""
        here = [(one, row) for one, row in tagged if one[1].kind is Kind.LOCAL and row["status"] == "done"]
        counts: Counter[str] = Counter()
        if self._wanted.sidecars:
            counts.update(self._sidecar(picture.place, row) for (_, picture), row in here)
        if self._wanted.sort_into is not None:
            counts.update(self._sort(here, str(self._wanted.sort_into.absolute())))
        return counts

    def _sidecar(self, picture: str, row: Row) -> str:
        try:
            content = sidecar_of(self._wanted.collection, row)
            return put_sidecar(picture, content, overwrite=self._wanted.overwrite_sidecars)
        except OSError as error:
            self._show.say(f"no sidecar of {row['path']!r}: {error.strerror}")
            return "sidecars_failed"

    def _sort(self, here: Sequence[Tagged], top: str) -> list[str]:
        folders = {number: folders_of(row) for (number, _), row in here}
        targets = self._journal.targets(
            {
                (number, folder): names_for(os.path.join(top, folder), picture.place)
                for (number, picture), _ in here
                for folder in folders[number]
            }
        )
        return [
            self._place(picture.place, [targets[number, folder] for folder in folders[number]], row)
            for (number, picture), row in here
        ]

    def _place(self, picture: str, targets: Sequence[str], row: Row) -> str:
        try:
            place(picture, targets[0], self._wanted.by)
            for target in targets[1:]:  # of several labels; copies share their bytes
                if self._wanted.by is By.SYMLINK:
                    place(picture, target, By.SYMLINK)
                else:
                    place(targets[0], target, By.HARDLINK)
        except OSError as error:
            self._show.say(f"not sorted: {row['path']!r}: {error.strerror}")
            return "unsorted"
        return "sorted"
