"""`exemplar doctor`: examines the whole, says what is wrong, and mends what can be mended."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import click

from core.errors import ExemplarError
from core.findings import Finding
from core.settings import Settings, read_settings
from index.snapshot_check import examine_snapshots
from store.checks.blobs import examine_blobs
from store.checks.queue import examine_queue, examine_workers
from store.checks.record import examine_record
from store.store import Store, open_store

HEALTHY, PROBLEMS, UNCHECKED = 0, 1, 2

Examination = Callable[[], Iterable[Finding]]


@dataclass(slots=True)
class Examined:
    """What was found in each part; `unchecked` says why a part could not be examined."""

    parts: list[str] = field(default_factory=list)
    findings: list[tuple[Finding, int]] = field(default_factory=list)
    """Each with how much of it was mended."""
    unchecked: dict[str, str] = field(default_factory=dict)

    @property
    def lacks_tables(self) -> bool:
        """Whether the record has other tables than this version, and still has."""
        return any(finding.code == "record_not_migrated" and not mended for finding, mended in self.findings)

    @property
    def exit_code(self) -> int:
        """0 healthy or mended, 1 problems are left, 2 a part could not be examined."""
        if self.unchecked:
            return UNCHECKED
        return PROBLEMS if any(mended < finding.count for finding, mended in self.findings) else HEALTHY


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be mended, and remove what belongs to nothing.")
@click.option("--deep", is_flag=True, help="Read every file and every page, not a sample.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(*, repair: bool, deep: bool, as_json: bool) -> None:
    """Examine record, blobs, snapshots, queue and workers, by the settings, without the API.

    Exit code 0: healthy, or all of it mended; 1: problems; 2: a part could not be examined.
    """
    settings = read_settings()
    store = open_store(settings)
    found = examine(store, settings, repair=repair, deep=deep)
    store.database.close()
    click.echo(json.dumps(_as_json(found)) if as_json else "\n".join(_lines(found)))
    sys.exit(found.exit_code)


def examine(store: Store, settings: Settings, *, repair: bool = False, deep: bool = False) -> Examined:
    """Examine one part after the other; one that does not answer does not keep the others from it."""
    examinations: dict[str, Examination] = {
        "record": lambda: examine_record(store, deep=deep),
        "blobs": lambda: examine_blobs(store, deep=deep),
        "snapshots": lambda: examine_snapshots(settings.snapshot_folder, store.collections.all_versions()),
        "queue": lambda: examine_queue(store),
        "workers": lambda: examine_workers(store),
    }
    found = Examined()
    for part, examination in examinations.items():
        found.parts.append(part)
        if found.lacks_tables:
            found.unchecked[part] = "the record has not the tables that this needs"
            continue
        try:
            for finding in examination():
                found.findings.append((finding, _mend(finding) if repair else 0))
        except ExemplarError as error:
            found.unchecked[part] = error.message
    return found


def _mend(finding: Finding) -> int:
    return 0 if finding.mend is None else finding.mend()


def _lines(found: Examined) -> Iterator[str]:
    for part in found.parts:
        mine = [(finding, mended) for finding, mended in found.findings if finding.part == part]
        if part in found.unchecked:
            yield f"{part}: could not be examined: {found.unchecked[part]}"
        elif not mine:
            yield f"{part}: well"
        for finding, mended in mine:
            yield f"{part}: {finding.message} ({_outcome(finding, mended)})"


def _outcome(finding: Finding, mended: int) -> str:
    if mended:
        return f"mended {mended} of {finding.count}"
    return "no repair for this" if finding.mend is None else "--repair mends it"


def _as_json(found: Examined) -> dict[str, object]:
    return {
        "status": ("healthy", "problems", "unchecked")[found.exit_code],
        "findings": [
            {
                "part": finding.part,
                "code": finding.code,
                "message": finding.message,
                "count": finding.count,
                "mendable": finding.mend is not None,
                "mended": mended,
            }
            for finding, mended in found.findings
        ],
        "unchecked": found.unchecked,
    }
