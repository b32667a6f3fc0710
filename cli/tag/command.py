"""`exemplar tag`: classify any number of pictures into a file; an interrupted run resumes."""

from __future__ import annotations

import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import click

from cli.client import Client
from cli.local import service_client
from cli.numbers import Number
from cli.options import COLLECTION, LOCAL, URL
from cli.places import PLACE, Place
from cli.tag.actions import Actions, Wanted
from cli.tag.journal import Journal, journal_path
from cli.tag.listing import ARCHIVES
from cli.tag.plan import check_same_options, list_into, options_fingerprint, plan_of
from cli.tag.rows import Output
from cli.tag.run import Pace, Run
from cli.tag.show import Show
from cli.tag.sort import By
from cli.tag.summary import print_plan, print_summary
from cli.tag.tally import Tally
from cli.tag.update import begin_update, finish_update
from cli.tag.upload import Uploads
from cli.which_collection import which_collection
from core.errors import ExemplarError

DONE, UNUSABLE, SOME_FAILED, UNFINISHED = 0, 1, 2, 3
JOB_PICTURES = 512
JOBS = 4


class _Command(click.Command):
    """A command whose usage errors exit with 1, since 2 means that some pictures failed."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **options)
        except click.UsageError as error:
            error.exit_code = UNUSABLE  # type: ignore[misc]
            raise


@click.command(cls=_Command)
@click.argument("paths", nargs=-1, required=True, type=PLACE)
@COLLECTION
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Output file: .csv, .jsonl or .parquet.",
)
@click.option("--overwrite", is_flag=True, help="Start over, discarding an existing output.")
@click.option(
    "--update",
    is_flag=True,
    help="Add the pictures that a finished output lacks; its rows stay as they are.",
)
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@click.option("--sidecar", is_flag=True, help="Write an XMP sidecar next to each known picture.")
@click.option("--overwrite-sidecars", is_flag=True, help="Also replace sidecars of other software.")
@click.option(
    "--sort-into",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder for a tree of pictures by class.",
)
@click.option(
    "--by",
    type=click.Choice([by.value for by in By]),
    default=By.COPY.value,
    show_default=True,
    help="How pictures are put into the tree.",
)
@click.option(
    "--top", type=click.IntRange(1, 100), default=5, show_default=True, help="Candidates per picture."
)
@click.option(
    "--smooth",
    is_flag=True,
    help="Smooth the answers over similar pictures of one job; --batch sets the size of a job.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 4096),
    default=JOB_PICTURES,
    show_default=True,
    help="Most pictures per job.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 32), default=JOBS, show_default=True, help="Most jobs at a time."
)
@click.option(
    "--patience",
    type=Number(0),
    default=60.0,
    show_default=True,
    help="Seconds to keep retrying while the service is unreachable.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@LOCAL
@URL
def tag(paths: tuple[Place, ...], collection: str | None, out: Path, **options: Any) -> None:
    """Classify pictures, and write one row for each.

    PATHS are folders, pictures, archives (zip, tar), manifests (JSONL, CSV) and prefixes of object storage
    (s3://bucket/2026/*.jpg). The same command resumes an interrupted run.

    \b
    Exit codes: 0 all done; 1 the command cannot be done; 2 all done, and some pictures failed;
    3 interrupted: the same command resumes.
    """  # noqa: D301 - click looks for the character itself
    try:
        if options["update"] and options["overwrite"]:
            raise ExemplarError("option_invalid", "expected one of --update and --overwrite, got both")
        _check_paths(paths, options)
        with service_client(options["url"], options["local"]) as client:
            sidecars = options["sidecar"], options["overwrite_sidecars"]
            name, by = which_collection(client, collection), By(options["by"])
            wanted = Wanted(name, *sidecars, options["sort_into"], by)
            code = _tag(client, paths, wanted, Output(out), options)
    except ExemplarError as error:
        click.echo(f"exemplar: {error.message} ({error.code})", err=True)
        code = UNUSABLE
    except KeyboardInterrupt:
        click.echo("exemplar: interrupted before anything was sent; the same command resumes", err=True)
        code = UNFINISHED
    sys.exit(code)


def _tag(
    client: Client, paths: tuple[Place, ...], wanted: Wanted, output: Output, options: dict[str, Any]
) -> int:
    collection = wanted.collection
    client.call("GET", f"/v1/collections/{collection}")
    show = Show(quiet=options["quiet"])
    asked = options_fingerprint(paths, wanted, options["top"], smooth=options["smooth"])
    if options["dry_run"]:
        how = {name: options[name] for name in ("overwrite", "update")}
        plan = plan_of(paths, wanted, output, asked=asked, show=show, **how)
        print_plan(plan, as_json=options["as_json"])
        return DONE
    journal = _begin(output, overwrite=options["overwrite"], update=options["update"])
    is_new = journal.get("asked") is None
    try:
        check_same_options(journal, asked)
        list_into(journal, paths, wanted, show)
        finish_update(journal, output)
        output.open(journal.get("written"))
    except ExemplarError:
        journal.close(forget=is_new)
        if is_new and output.path.exists():  # it is complete, and was only to be updated
            output.clean()
        raise
    uploads = Uploads(client, collection, options["top"], smooth=options["smooth"])
    run = Run(client, journal, output, actions=Actions(wanted, journal, show), uploads=uploads, show=show)
    began, before = time.monotonic(), run.tally.done + run.tally.failed
    why = _go(run, output, Pace(options["batch"], options["jobs"], options["patience"]), show)
    uploads.stop()
    earlier = journal.get("earlier") or {"rows": 0, "failed": 0}  # of the output that is updated
    tally = Tally.of(journal.get("tally"))  # an interrupted step is not counted
    summary = {
        "out": str(output.path),
        "collection": collection,
        "state": "finished" if why is None else "unfinished",
        "total": run.total,
        **tally.as_json(),
        "added": tally.done + tally.failed - earlier["rows"],
        **journal.get("left_out"),
        "seconds": round(time.monotonic() - began, 2),
        "rate_per_s": round((tally.done + tally.failed - before) / max(time.monotonic() - began, 1e-3), 2),
        "running_jobs": run.running(),
    }
    if why is None:
        journal.close(forget=True)
        output.clean()
    else:
        journal.close()
    print_summary(summary, why, as_json=options["as_json"])
    if why is not None:
        return UNFINISHED
    failed = tally.failed - earlier["failed"] + tally.actions["unsorted"] + tally.actions["sidecars_failed"]
    return SOME_FAILED if failed else DONE


def _check_paths(places: tuple[Place, ...], options: dict[str, Any]) -> None:
    paths = [place for place in places if isinstance(place, Path)]
    packed = [path for path in paths if path.is_file() and path.name.lower().endswith(ARCHIVES)]
    sort_into: Path | None = options["sort_into"]
    if packed and (options["sidecar"] or sort_into is not None):
        raise ExemplarError(
            "option_invalid", f"{packed[0]}: an archive has no files for sidecars or a tree; unpack it first"
        )
    if len(paths) < len(places) and (options["sidecar"] or sort_into is not None):
        raise ExemplarError(
            "option_invalid",
            "objects have no sidecars or tree; exemplar watch PREFIX --sidecar writes next to them",
        )
    if sort_into is not None and sort_into.absolute() in [path.absolute() for path in paths]:
        raise ExemplarError("option_invalid", "--sort-into: expected a folder other than the pictures' own")


def _begin(output: Output, *, overwrite: bool, update: bool) -> Journal:
    """Open the journal of an interrupted run, or of a new one."""
    path = journal_path(output.path)
    if not output.path.absolute().parent.is_dir():
        raise ExemplarError("out_invalid", f"--out: there is no folder {output.path.absolute().parent}")
    if overwrite:
        Journal(str(path)).close(forget=True)  # raises while another run holds it
        output.remove()
    elif not path.exists() and output.exists() and not update:
        raise _complete(output)
    journal = Journal(str(path))
    if journal.get("asked") is None and output.exists():  # complete: a run notes its options before it writes
        try:
            if not update:
                raise _complete(output)
            begin_update(journal, output)
        except ExemplarError:
            journal.close(forget=True)
            raise
    return journal


def _complete(output: Output) -> ExemplarError:
    return ExemplarError(
        "out_exists",
        f"{output.path} exists and is complete; use --update to add the pictures that it lacks, or "
        "--overwrite to replace it",
    )


def _go(run: Run, output: Output, pace: Pace, show: Show) -> str | None:
    """Run; return why it did not finish, or None if it did."""
    before = {name: signal.signal(name, _interrupt) for name in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with show:
            run.go(pace)
        output.finish()
    except KeyboardInterrupt:
        return "interrupted"
    except ExemplarError as error:
        return f"{error.message} ({error.code})"
    except OSError as error:
        return f"{error.filename or 'the output'}: {error.strerror}"
    except sqlite3.Error as error:
        return f"the journal: {error}"
    finally:
        output.close()
        for name, handler in before.items():
            signal.signal(name, handler)
    return None


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
