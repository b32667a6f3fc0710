"""`exemplar doctor`: check all parts of the service, report problems and repair what can be fixed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from cli.command_name import command_name
from cli.options import DATA
from cli.running import find_running
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
    """The findings of each part; `unchecked` gives the reason why a part could not be checked."""

    parts: list[str] = field(default_factory=list)
    findings: list[tuple[Finding, int]] = field(default_factory=list)
    """Each with the number of repaired occurrences."""
    unchecked: dict[str, str] = field(default_factory=dict)

    @property
    def lacks_tables(self) -> bool:
        """Whether the record's tables are of another version and were not repaired."""
        return any(
            finding.code == "record_not_migrated" and not repaired for finding, repaired in self.findings
        )

    @property
    def exit_code(self) -> int:
        """0 healthy or repaired, 1 problems are left, 2 a part could not be checked."""
        if self.unchecked:
            return UNCHECKED
        return PROBLEMS if any(repaired < finding.count for finding, repaired in self.findings) else HEALTHY


@click.command()
@click.option("--repair", is_flag=True, help="Fix what can be fixed and delete orphaned files and rows.")
@click.option("--deep", is_flag=True, help="Read every file and every database page, not a sample.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@DATA
def doctor(*, repair: bool, deep: bool, as_json: bool, data: Path | None) -> None:
    """Check record, blobs, snapshots, queue and workers; reads the settings and needs no API.

    While `exemplar up` runs on the data folder, its queue is checked too.

    Exit code 0: healthy, or everything repaired; 1: problems; 2: a part could not be checked.
    """
    if data is not None and not data.is_dir():
        raise ExemplarError("path_missing", f"expected the data folder of a service, got {data}")
    settings = read_settings(data=data)
    running = find_running(settings.data.resolve())
    is_stopped = running is None and _belongs_to_up(settings)
    if running is not None:
        settings = settings.model_copy(update={"redis_url": running.redis_url})
    store = open_store(settings)
    found = examine(store, settings, repair=repair, deep=deep, is_stopped=is_stopped)
    store.database.close()
    click.echo(json.dumps(_as_json(found)) if as_json else "\n".join(_lines(found)))
    sys.exit(found.exit_code)


def examine(
    store: Store,
    settings: Settings,
    *,
    repair: bool = False,
    deep: bool = False,
    is_stopped: bool = False,
) -> Examined:
    """Check one part after the other; a part that does not answer does not prevent the other checks.

    `is_stopped` means that the queue runs only while `exemplar up` does, and that this is not running.
    """
    examinations: dict[str, Examination] = {
        "record": lambda: examine_record(store, deep=deep),
        "blobs": lambda: examine_blobs(store, deep=deep),
        "snapshots": lambda: examine_snapshots(settings.snapshot_folder, store.collections.all_versions()),
        "queue": lambda: _stopped() if is_stopped else examine_queue(store),
        "workers": lambda: examine_workers(store),
    }
    found = Examined()
    for part, examination in examinations.items():
        found.parts.append(part)
        if found.lacks_tables:
            found.unchecked[part] = "the record lacks tables that this check needs"
            continue
        try:
            for finding in examination():
                found.findings.append((finding, _repair(finding) if repair else 0))
        except ExemplarError as error:
            found.unchecked[part] = error.message
    return found


def _stopped() -> Iterable[Finding]:
    raise ExemplarError(
        "queue_unavailable",
        f"`{command_name()} up` is not running on this data folder, and its queue runs only with it",
    )


def _belongs_to_up(settings: Settings) -> bool:
    """Return whether the data are those of an `exemplar up`, and no other queue was named."""
    is_default = settings.redis_url == Settings.model_fields["redis_url"].default
    return is_default and (settings.data / "redis").is_dir()


def _repair(finding: Finding) -> int:
    return 0 if finding.repair is None else finding.repair()


def _lines(found: Examined) -> Iterator[str]:
    for part in found.parts:
        mine = [(finding, repaired) for finding, repaired in found.findings if finding.part == part]
        if part in found.unchecked:
            yield f"{part}: could not be checked: {found.unchecked[part]}"
        elif not mine:
            yield f"{part}: ok"
        for finding, repaired in mine:
            yield f"{part}: {finding.message} ({_outcome(finding, repaired)})"


def _outcome(finding: Finding, repaired: int) -> str:
    if repaired:
        return f"repaired {repaired} of {finding.count}"
    return "cannot be repaired" if finding.repair is None else "--repair fixes it"


def _as_json(found: Examined) -> dict[str, object]:
    return {
        "status": ("healthy", "problems", "unchecked")[found.exit_code],
        "findings": [
            {
                **{name: getattr(finding, name) for name in ("part", "code", "message", "count")},
                "repairable": finding.repair is not None,
                "repaired": repaired,
            }
            for finding, repaired in found.findings
        ],
        "unchecked": found.unchecked,
    }
