"""The options and the plan of an `exemplar tag` run."""

from __future__ import annotations

from collections.abc import Sequence

from cli.client import Json
from cli.left_out import LeftOut
from cli.pictures import none_found
from cli.places import Place
from cli.tag.actions import Wanted
from cli.tag.journal import Journal, journal_path
from cli.tag.listing import Listed, list_paths, printable
from cli.tag.rows import Output, Row, read_rows
from cli.tag.show import Show
from cli.tag.update import mark_written
from core.errors import ExemplarError
from core.jobs import Source
from core.settings import read_settings
from formats.entries import read_entries


def options_fingerprint(paths: Sequence[Place], wanted: Wanted, top: int, *, smooth: bool) -> Json:
    """Return the options that must be the same to resume a run."""
    return {
        "collection": wanted.collection,
        "paths": [path if isinstance(path, str) else printable(str(path.absolute())) for path in paths],
        "top": top,
        "sidecar": wanted.sidecars,
        "sort-into": None if wanted.sort_into is None else str(wanted.sort_into.absolute()),
        "by": wanted.by.value if wanted.sort_into is not None else None,
        **({"smooth": True} if smooth else {}),
    }


def check_same_options(journal: Journal, asked: Json) -> None:
    """Raise `run_differs` if an interrupted run had other options."""
    before = journal.get("asked")
    if before is None:
        journal.note(asked=asked)
        return
    different = first_difference(before, asked)
    if different is not None:
        raise ExemplarError(
            "run_differs",
            f"this output is of an interrupted run with {different}; "
            "repeat that command to resume, choose another --out, or start over: --overwrite",
        )


def first_difference(before: Json, asked: Json) -> str | None:
    """Return the first option of two runs that differs, with both values; None if all are the same."""
    for name in {**asked, **before}:
        if asked.get(name) != before.get(name):
            return f"{name} {before.get(name)!r}, not {asked.get(name)!r}"
    return None


def list_into(journal: Journal, paths: Sequence[Place], wanted: Wanted, show: Show) -> None:
    """List all pictures in the journal, and print what has changed; raises `picture_missing` for none."""
    goes_on = journal.pictures() > 0 or bool(journal.archives())
    left_out = LeftOut()
    changes = journal.add(list_paths(paths, without=wanted.sort_into, left_out=left_out))
    if not journal.pictures() and not journal.archives():
        raise none_found(f"in {', '.join(str(path) for path in paths)}", left_out)
    journal.note(left_out=left_out.as_json())
    if goes_on:
        show.say("resuming the interrupted run")
    for number, what in (
        (changes.twice, "given twice are tagged once"),
        (changes.new, "added since the run was started are tagged too"),
        (changes.changed, "have changed since they were sent; their rows may be of the older content"),
        (changes.gone, "no longer exist"),
    ):
        if number:
            show.say(f"{number:,} pictures {what}")


def plan_of(
    paths: Sequence[Place],
    wanted: Wanted,
    output: Output,
    *,
    asked: Json,
    show: Show,
    overwrite: bool,
    update: bool,
) -> Json:
    """Return what would be done; nothing is sent or written."""
    path = journal_path(output.path)
    rows: list[Row] | None = None
    if path.exists() and not overwrite:
        kept = Journal(str(path))
        journal = kept.copied()
        kept.close()
        check_same_options(journal, asked)
    elif output.exists() and not overwrite:
        if not update:
            raise ExemplarError("out_exists", f"{output.path} exists; use --update or --overwrite")
        rows = list(read_rows(output.path))
        journal = Journal("")
    else:
        journal = Journal("")
    list_into(journal, paths, wanted, show)
    if rows is not None:
        mark_written(journal, rows)
    inside = {archive.shown: _count(archive) for archive in journal.archives()}
    tally = journal.get("tally") or {"done": 0, "failed": 0}
    return {
        "out": str(output.path),
        "collection": wanted.collection,
        "pictures": journal.pictures() + sum(inside.values()),
        "bytes": journal.bytes(),
        "unreadable": journal.unreadable(),
        "archives": inside,
        "written_before": tally["done"] + tally["failed"],
        "sidecars": wanted.sidecars,
        "sort_into": None if wanted.sort_into is None else str(wanted.sort_into),
        "by": wanted.by.value,
        **journal.get("left_out"),
    }


def _count(archive: Listed) -> int:
    """Return how many pictures an archive holds as the service would read it."""
    if archive.problem is not None:
        return 0
    with open(archive.place, "rb") as file:
        entries = read_entries(Source(archive="archive"), lambda _: file, read_settings({}), enrols=False)
        return sum(entry.error is None for entry in entries)
