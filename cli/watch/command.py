"""`exemplar watch`: tag what arrives in folders and buckets."""

from __future__ import annotations

import signal
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cli.client import Client, Json
from cli.local import service_client
from cli.numbers import Number
from cli.options import COLLECTION, LOCAL, URL
from cli.tag.journal import Journal, journal_path
from cli.tag.plan import first_difference
from cli.tag.rows import Output, Row
from cli.tag.run import Pace, Run
from cli.tag.show import Show
from cli.tag.upload import Uploads
from cli.watch.arrivals import Arrivals
from cli.watch.sidecars import Form, Sidecars
from cli.which_collection import which_collection
from core.errors import ExemplarError
from formats.remote_names import is_remote

JOB_PICTURES = 256
JOBS = 2
PATIENCE_S = 60.0


class _NoRows:
    """Where rows go that nobody wants."""

    def append(self, rows: Sequence[Row]) -> Json:
        return {}

    def close(self) -> None: ...


@click.command()
@click.argument("places", metavar="DIR|PREFIX...", nargs=-1, required=True)
@COLLECTION
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that a row is added to for each picture: .csv or .jsonl.",
)
@click.option(
    "--sidecar",
    type=click.Choice([form.value for form in Form]),
    is_flag=False,
    flag_value=Form.XMP.value,
    help="Write a sidecar next to each picture: xmp (for known ones), or json.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that remembers what is tagged; by default next to --out, otherwise hidden in the first DIR.",
)
@click.option("--once", is_flag=True, help="Tag what is there, and end.")
@click.option(
    "--every",
    type=Number(0.1),
    default=5.0,
    show_default=True,
    help="Seconds between two looks at what is there.",
)
@click.option(
    "--settle",
    type=Number(0),
    default=2.0,
    show_default=True,
    help="Seconds for which a file must have kept its size and time of change.",
)
@click.option(
    "--top", type=click.IntRange(1, 100), default=5, show_default=True, help="Candidates per picture."
)
@click.option("--quiet", is_flag=True, help="Print errors only.")
@LOCAL
@URL
def watch(places: tuple[str, ...], collection: str | None, out: Path | None, **options: Any) -> None:
    """Classify the pictures that arrive in folders (DIR) or below prefixes of a bucket (PREFIX).

    It goes on until it is stopped, with Ctrl-C or SIGTERM. The same command goes on where it was, and tags
    nothing twice, however it ended. A picture that changes is tagged again.
    """
    try:
        state = _state_of(places, out, options["state"])
        arrivals = Arrivals(places, settle_s=options["settle"])
        with service_client(options["url"], options["local"]) as client:
            name = which_collection(client, collection)
            client.call("GET", f"/v1/collections/{name}")
            asked = {"collection": name, "top": options["top"], "sidecar": options["sidecar"]}
            with _Session(client, state, None if out is None else Output(out), asked, options) as session:
                session.go(arrivals)
    except ExemplarError as error:
        click.echo(f"exemplar: {error.message} ({error.code})", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("exemplar: stopped; the same command goes on", err=True)
        sys.exit(3 if options["once"] else 0)


class _Session:
    """Journal, output and uploads of one run of the command."""

    def __init__(
        self, client: Client, state: Path, out: Output | None, asked: Json, options: dict[str, Any]
    ) -> None:
        self._client = client
        self._journal = Journal(str(state))
        self._options = options
        self._show = Show(quiet=options["quiet"])
        try:
            _check_same(self._journal, state, out, asked)
            self._rows: Output | _NoRows = _NoRows() if out is None else out
            if out is not None:
                out.open(self._journal.get("written"))
        except BaseException:
            self._journal.close()
            raise
        form = None if asked["sidecar"] is None else Form(asked["sidecar"])
        self._actions = Sidecars(asked["collection"], form, self._show)
        self._uploads = Uploads(client, asked["collection"], asked["top"], smooth=False)

    def __enter__(self) -> _Session:
        for name in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, _interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        self._uploads.stop()
        self._rows.close()
        self._journal.close()

    def go(self, arrivals: Arrivals) -> None:
        """Tag what arrives until it is stopped, or with `once` until nothing is left."""
        every_s = self._options["every"]
        while True:
            is_done = False
            try:
                self._tag()  # what an earlier run or round has left
                for arrived in arrivals.take(self._journal):
                    self._journal.forget(arrived)
                    self._journal.add(arrived)
                    self._tag()
                is_done = not arrivals.waiting
            except ExemplarError as error:
                if not error.retry:
                    raise
                self._show.say(f"{error.message}; trying again")
            except sqlite3.Error as error:
                raise ExemplarError("journal_invalid", f"the file of --state: {error}") from error
            except OSError as error:
                raise ExemplarError(
                    "out_invalid", f"{error.filename or '--out'}: {error.strerror}"
                ) from error
            if self._options["once"] and is_done:
                return
            soon_s = min(every_s, self._options["settle"] or every_s)
            time.sleep(soon_s if arrivals.waiting else every_s)

    def _tag(self) -> None:
        """Send what is listed and write its results; also what an earlier run has sent."""
        run = Run(
            self._client,
            self._journal,
            self._rows,
            actions=self._actions,
            uploads=self._uploads,
            show=self._show,
        )
        before = run.tally.done, run.tally.failed
        run.go(Pace(JOB_PICTURES, JOBS, PATIENCE_S))
        done, failed = run.tally.done - before[0], run.tally.failed - before[1]
        if (done or failed) and not self._options["quiet"]:
            click.echo(f"{done:,} tagged, {failed:,} failed", err=True)


def _state_of(places: tuple[str, ...], out: Path | None, state: Path | None) -> Path:
    if out is not None and out.suffix.lower() == ".parquet":
        raise ExemplarError("out_invalid", "--out: expected .csv or .jsonl, which rows can be added to")
    if state is not None:
        return state
    if out is not None:
        return journal_path(out)
    folder = next((place for place in places if not is_remote(place)), None)
    if folder is None:
        raise ExemplarError(
            "option_invalid", "expected --out or --state: a file here that remembers what is tagged"
        )
    return Path(folder, ".exemplar-watch")


def _check_same(journal: Journal, state: Path, out: Output | None, asked: Json) -> None:
    """Note the options of a new state; raise `run_differs` if they are others than before."""
    before = journal.get("asked")
    asked = {**asked, "watch": True, "out": None if out is None else str(out.path.absolute())}
    if before is None:
        if out is not None and out.exists():
            raise ExemplarError(
                "out_exists",
                f"{out.path} exists, and {state} does not know its pictures; choose another --out",
            )
        journal.note(asked=asked)
        return
    different = first_difference(before, asked)
    if different is not None:
        raise ExemplarError("run_differs", f"{state} is of a run with {different}; choose another --state")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
