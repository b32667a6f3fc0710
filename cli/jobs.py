"""`exemplar jobs`: list and control jobs, and read their results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import IO

import click

from cli.client import Client, Json
from cli.groups import Group
from cli.options import AS_OF, JSON, SERVICE
from cli.progress import wait_with_bar
from cli.show import print_found, print_json, print_rows
from core.jobs import JobState

COLUMNS = ("id", "collection", "kind", "state", "done", "failed")
WHOLE = ("id", "kind", "state", "done")
MADE_BADLY = (JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED)
FORMATS = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
NO_LABEL = "no label"
JOB = click.argument("job_id", metavar="JOB")


@click.group(cls=Group)
def jobs() -> None:
    """List jobs, follow them, cancel, pause or retry them, and read their results."""


@jobs.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Most jobs to list.")
@JSON
@SERVICE
def list_(limit: int, as_json: bool, client: Client) -> None:
    """List jobs, newest first."""
    found = list(islice(client.pages("/v1/jobs"), limit))
    print_found(found, COLUMNS, [_cells(job) for job in found], as_json=as_json, whole=WHOLE)


@jobs.command()
@JOB
@JSON
@SERVICE
def show(job_id: str, as_json: bool, client: Client) -> None:
    """Show a job's progress and a summary of its results."""
    job, summary = (client.call("GET", f"/v1/jobs/{job_id}{part}").json() for part in ("", "/summary"))
    if as_json:
        print_json({**job, "summary": summary})
        return
    print_rows(COLUMNS, [_cells(job)], whole=WHOLE)
    times = [(name, job[f"{name}_at"]) for name in ("created", "started", "finished")]
    print_rows(("", "at"), [(name, at[:19].replace("T", " ")) for name, at in times if at is not None])
    for what in ("decisions", "labels", "errors"):
        if summary[what]:
            print_rows((what, "items"), list(summary[what].items()))
    if job["note"]:
        click.echo(job["note"])


@jobs.command()
@JOB
@JSON
@SERVICE
def wait(job_id: str, as_json: bool, client: Client) -> None:
    """Wait for a job to end; exit with 1 unless every item is done."""
    job = client.call("GET", f"/v1/jobs/{job_id}").json()
    job = wait_with_bar(client, job)
    _print_jobs([job], as_json=as_json)
    sys.exit(1 if job["state"] in MADE_BADLY else 0)


@jobs.command()
@JOB
@click.option("--dry-run", is_flag=True, help="Only report what would change.")
@AS_OF
@JSON
@SERVICE
def redecide(job_id: str, dry_run: bool, version: str | None, as_json: bool, client: Client) -> None:
    """Decide the answers of a job again, with its collection as it is now, or was at a version.

    Answers that people have reviewed are left alone. The earlier answers stay readable.
    """
    body = {"dry_run": dry_run} | ({} if version is None else {"version": version})
    job = client.call("POST", f"/v1/jobs/{job_id}/redecide", json=body).json()
    job = wait_with_bar(client, job)
    told = client.call("GET", f"/v1/jobs/{job['id']}/summary").json()
    if as_json:
        print_json({**job, "summary": told})
    else:
        changes = [(_label(one["from"]), _label(one["to"]), one["items"]) for one in told["changes"]]
        if changes:
            print_rows(("from", "to", "items"), changes)
        click.echo(_told(told, dry_run=dry_run))
    sys.exit(1 if job["state"] in MADE_BADLY else 0)


@jobs.command()
@JOB
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="jsonl",
    show_default=True,
    help="Output format.",
)
@click.option("--out", type=click.File("wb", lazy=True), default="-", help="Output file; default stdout.")
@SERVICE
def results(job_id: str, form: str, out: IO[bytes], client: Client) -> None:
    """Print a job's results, or write them to a file, as far as they are settled."""
    parts: Iterator[bytes] = client.parts(f"/v1/jobs/{job_id}/results", FORMATS[form])
    for part in parts:
        out.write(part)


def _label(label: str | None) -> str:
    return NO_LABEL if label is None else label


def _told(told: Json, *, dry_run: bool) -> str:
    parts = [f"{told['changed']} of {told['asked']} answers {'would change' if dry_run else 'changed'}"]
    if told["reviewed_left_alone"]:
        parts.append(f"{told['reviewed_left_alone']} reviewed ones left alone")
    if told["without_vector"]:
        parts.append(f"{told['without_vector']} have no vector")
    return ", ".join(parts)


def _control(name: str, help_: str) -> Callable[..., None]:
    @jobs.command(name, help=help_)
    @click.argument("job_ids", metavar="JOB...", nargs=-1, required=True)
    @JSON
    @SERVICE
    def control(job_ids: tuple[str, ...], as_json: bool, client: Client) -> None:
        _print_jobs(
            [client.call("POST", f"/v1/jobs/{job_id}/{name}").json() for job_id in job_ids], as_json=as_json
        )

    return control


_control("cancel", "Cancel the items of jobs that no worker has started.")
_control("pause", "Pause jobs; running chunks finish.")
_control("resume", "Resume paused jobs.")
_control("retry", "Retry the failed items of jobs.")


def _print_jobs(found: Sequence[Json], *, as_json: bool) -> None:
    print_found(found, COLUMNS, [_cells(job) for job in found], as_json=as_json, whole=WHOLE)


def _cells(job: Json) -> list[object]:
    progress = job["progress"]
    done = f"{progress['done']} of {progress['total']}" + ("…" if job["expanding"] else "")
    return [job["id"], job["collection"], job["kind"], job["state"], done, progress["failed"] or ""]
