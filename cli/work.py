"""Sending many pictures to a service and following the jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cli.client import Client, Json, batches
from cli.progress import progress_bar


def run_jobs(
    client: Client, path: str, groups: Sequence[tuple[str | None, Sequence[Path]]], title: str
) -> Iterator[tuple[Path, Json]]:
    """Send groups of (label, files), show progress, and yield each file with its result, in order."""
    with progress_bar() as bar:
        total = sum(len(files) for _, files in groups)
        task = bar.add_task(title, total=total)
        jobs = [
            (batch, client.submit(path, batch, **({} if label is None else {"label": label})))
            for label, files in groups
            for batch in batches(files)
        ]
        ready = 0
        for batch, job in jobs:

            def show(n: int, before: int = ready) -> None:
                bar.update(task, completed=before + n)

            client.wait(job, show)
            ready += len(batch)
            for result in client.results(job):
                yield batch[result["item"]], result
