"""The progress bar of long-running commands."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.client import Client, Json


def progress_bar(*more: TextColumn) -> Progress:
    """Return a bar on standard error, so that standard output holds only results; `more` precede the time."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *more,
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def wait_with_bar(client: Client, job: Json, title: str = "") -> Json:
    """Wait for a job to end, with a progress bar; return the job."""
    with progress_bar() as bar:
        total = None if job["expanding"] else job["progress"]["total"]
        task = bar.add_task(title or job["kind"], total=total)
        return client.wait(job, lambda ready: bar.update(task, completed=ready))
