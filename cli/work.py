"""Send many pictures to a service and follow the jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from cli.client import Client, Json
from cli.file_names import external_id
from cli.pictures import batches, why_not
from cli.progress import progress_bar
from core.errors import ExemplarError
from core.jobs import Item
from core.labels import clean_label
from core.results import failed_result


def run_jobs(
    client: Client,
    path: str,
    groups: Sequence[tuple[str | Sequence[str] | None, Sequence[Path]]],
    title: str,
    *,
    external_ids: Mapping[Path, str] | None = None,
    complete: bool = False,
    dry_run: bool = False,
    started: Callable[[Json], None] = lambda _: None,
) -> Iterator[tuple[Path, Json]]:
    """Send groups of (label or labels, files), show progress, and yield each file with its result, in order.

    Unreadable files come first, as failed. Files with labels are enrolled with their external ids, by default
    their names; `complete` says that they have no other labels. With `dry_run` they are only checked.
    `started` is called with each job.
    """
    ids = external_ids or {}
    refused = {file: error for _, files in groups for file in files if (error := why_not(file))}
    yield from ((file, dict(failed_result(Item(0), error))) for file, error in refused.items())
    with progress_bar() as bar:
        total = sum(len(files) for _, files in groups)
        task = bar.add_task(title, total=total - len(refused))
        submit = partial(_submit, client, path, dry_run=dry_run)
        jobs = [
            (batch, submit(batch, said, [ids.get(file, file.name) for file in batch]))
            for said, files in ((_said(labels, complete=complete), files) for labels, files in groups)
            for batch in batches([file for file in files if file not in refused])
        ]
        ready = 0
        for batch, job in jobs:

            def show(n: int, before: int = ready) -> None:
                bar.update(task, completed=before + n)

            ready += len(batch)
            if isinstance(job, ExemplarError):
                bar.update(task, completed=ready)
                yield from ((file, dict(failed_result(Item(n), job))) for n, file in enumerate(batch))
                continue
            started(job)
            client.wait(job, show)
            for result in client.results(job):
                yield batch[result["item"]], result


def _said(labels: str | Sequence[str] | None, *, complete: bool) -> Json | None:
    """Return what the items of a group say of their labels, None for pictures that are not to be enrolled."""
    if labels is None:
        return None
    said: Json = {"label": labels} if isinstance(labels, str) else {"labels": list(labels)}
    return {**said, "complete": True} if complete else said


def _submit(
    client: Client, path: str, batch: Sequence[Path], said: Json | None, ids: Sequence[str], *, dry_run: bool
) -> Json | ExemplarError:
    """Submit a batch; a rejection of its pictures or its labels becomes their result."""
    try:
        if said is None:
            return client.submit(path, batch)
        if "label" in said:
            said = {**said, "label": clean_label(said["label"])}
        return client.submit_labelled(path, batch, said, list(map(external_id, ids)), dry_run=dry_run)
    except ExemplarError as error:
        if error.code.startswith(("picture_", "label_", "labels_")) or error.code == "body_too_large":
            return error
        raise
