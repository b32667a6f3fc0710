"""Progress of `exemplar tag`: a bar on a terminal, occasional lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time

import click
from rich.progress import TextColumn

from cli.progress import progress_bar

LINE_S = 10.0


class Show:
    """Reports progress on standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        columns = TextColumn("{task.fields[rate]}"), TextColumn("[red]{task.fields[failed]}")
        self._bar = progress_bar(*columns) if sys.stderr.isatty() and not quiet else None
        self._task = (
            None if self._bar is None else self._bar.add_task("tagging", total=None, rate="", failed="")
        )
        self._began = self._lined = time.monotonic()
        self._before: int | None = None
        self._last_message = ""

    def __enter__(self) -> Show:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def progress(self, ready: int, failed: int, total: int) -> None:
        """Report how many pictures are written, and how many of these failed."""
        if self._before is None:  # an earlier run's progress says nothing about this one's rate
            self._before = ready
        now = time.monotonic()
        rate = (ready - self._before) / max(now - self._began, 1e-3)
        if self._bar is not None and self._task is not None:
            said = f"{failed:,} failed" if failed else ""
            self._bar.update(self._task, completed=ready, total=total, rate=f"{rate:,.0f}/s", failed=said)
        elif now - self._lined >= LINE_S and not self._quiet:
            self._lined = now
            left = f", {(total - ready) / rate:,.0f} s left" if rate > 0 else ""
            click.echo(f"{ready:,} of {total:,} at {rate:,.1f}/s, {failed:,} failed{left}", err=True)

    def say(self, text: str) -> None:
        """Print a message, unless it equals the previous one."""
        if text == self._last_message:
            return
        self._last_message = text
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        elif not self._quiet:
            click.echo(text, err=True)
