"""`exemplar tag --update`: a finished output gets the rows of pictures that it lacks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from cli.tag.journal import Journal
from cli.tag.rows import Output, Row, read_rows
from cli.tag.tally import Tally
from formats.csv import unguarded


def begin_update(journal: Journal, output: Output) -> None:
    """Note in a new journal how far a complete output is written; raises `out_invalid`."""
    journal.note(written=output.reopen(), updating=True)


def finish_update(journal: Journal, output: Output) -> None:
    """Mark the listed pictures that the output has; once done, a resumed run does not repeat it."""
    if journal.get("updating"):
        mark_written(journal, read_rows(output.rows))


def mark_written(journal: Journal, rows: Iterable[Row]) -> None:
    """Mark the pictures of an output's rows as written, and count the rows as done."""
    tally = Tally()

    def counted() -> Iterator[tuple[str, str]]:
        for row in rows:
            tally.count(row)
            yield row["path"] or "", row["custom_id"] or ""

    marked = journal.mark_written(counted(), plain_path)
    earlier = {"rows": tally.done + tally.failed, "failed": tally.failed}
    # rows of archives' members, and of pictures that are no longer there
    others = earlier["rows"] - marked
    journal.note(updating=False, tally=tally.as_json(), earlier=earlier, archives={"earlier": others})


def plain_path(path: str) -> str:
    """Return the absolute path of a row, however it was given; CSV has an apostrophe before formulas."""
    return os.path.abspath(unguarded(path))
