"""`exemplar enroll`: enrol pictures as supports; each folder is a class."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path, PurePath, PurePosixPath
from uuid import uuid4

import click

from cli.class_folders import CLASS_FROM, choose_classes
from cli.client import Client, Json
from cli.enroll_findings import effects_of, print_checked, print_findings, print_results
from cli.file_names import relative_name, shown_name
from cli.left_out import LeftOut
from cli.local import service_client
from cli.options import COLLECTION, JSON, LOCAL, URL, given
from cli.pictures import Picture, find_pictures, none_found
from cli.places import PLACE, Place
from cli.progress import wait_with_bar
from cli.show import print_json
from cli.which_collection import ensure_collection, which_collection
from cli.work import run_jobs
from core.errors import ExemplarError
from core.label_sets import clean_part
from core.labels import clean_label

Group = tuple[str | Sequence[str], list[Path]]

MOST_SHOWN = 5  # pictures that other classes have too


@click.command()
@click.argument("places", metavar="PATH...", nargs=-1, required=True, type=PLACE)
@COLLECTION
@click.option(
    "--label",
    "labels",
    multiple=True,
    help="A label for all pictures, instead of their folders' names; repeat it for several labels a picture.",
)
@click.option("--complete", is_flag=True, help="The pictures have no other labels.")
@click.option("--none", "no_label", is_flag=True, help="The pictures have none of the labels.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only say what is wrong with the pictures, and how they would change the answers; add nothing.",
)
@CLASS_FROM
@JSON
@LOCAL
@URL
def enroll(
    *,
    places: tuple[Place, ...],
    collection: str | None,
    labels: tuple[str, ...],
    complete: bool,
    no_label: bool,
    class_from: str | None,
    dry_run: bool,
    as_json: bool,
    local: Path | None,
    url: str,
) -> None:
    """Enrol pictures; each folder is a class. The collection is created if it does not exist.

    PATHs are folders of class folders, class folders, and with --label picture files. Pictures next to
    class folders are skipped unless --label names their class. The path of a file below its folder becomes
    the external id of the support. A single PATH may also be a prefix of object storage, such as
    s3://bucket/taught/, which the service reads itself. With several --label, --complete or --none, the new
    collection gives pictures several labels.
    """
    if no_label and labels:
        raise click.UsageError("--none goes without --label: the pictures have none of the labels")
    several = len(labels) > 1 or no_label or complete
    said: str | Sequence[str] | None = [] if no_label else None
    if labels:
        said = [clean_part(label) for label in labels] if len(labels) > 1 else clean_label(labels[0])
    left_out = LeftOut()
    paths = [place for place in places if isinstance(place, Path)]
    if len(paths) < len(places):
        if len(places) > 1 or several:
            raise click.UsageError("a prefix of object storage goes alone, and with at most one --label")
        label = said if isinstance(said, str) else None
        asked = {"kind": "check" if dry_run else "enroll", "label": label, "class_from": class_from}
        with service_client(url, local) as client:
            sys.exit(_enroll_prefix(client, collection, str(places[0]), asked, as_json=as_json))
    pictures, names = _find(paths, left_out, class_from, by_folder=said is None)
    groups = _groups(pictures) if said is None else [(said, [picture.path for picture in pictures])]
    with service_client(url, local) as client:
        made = {"labels": "many"} if several else {}
        name = (
            which_collection(client, collection) if dry_run else ensure_collection(client, collection, **made)
        )
        jobs: list[Json] = []
        results = list(
            run_jobs(
                client,
                f"/v1/collections/{name}/enroll",
                groups,
                "checking" if dry_run else "enrolling",
                external_ids=names,
                complete=complete,
                dry_run=dry_run,
                started=jobs.append,
            )
        )
        if dry_run:
            effects = effects_of(client, jobs)
            sys.exit(print_checked(name, results, effects, as_json=as_json))
    sys.exit(_print_outcome(name, len(groups), results, left_out, as_json=as_json))


def _enroll_prefix(
    client: Client, collection: str | None, prefix: str, asked: Mapping[str, str | None], *, as_json: bool
) -> int:
    """Enrol or check what lies under a prefix, and print what came of it; return the exit code."""
    dry_run = asked["kind"] == "check"
    name = which_collection(client, collection) if dry_run else ensure_collection(client, collection)
    job: Json = client.call(
        "POST",
        f"/v1/collections/{name}/bulk",
        json={"prefix": prefix},
        params=given(dict(asked)),
        headers={"Idempotency-Key": uuid4().hex},
    ).json()
    wait_with_bar(client, job, "enrolling")
    found = [(PurePosixPath(one["custom_id"] or prefix), one) for one in client.results(job)]
    if dry_run:
        return print_checked(name, found, effects_of(client, [job]), as_json=as_json)
    classes = len({one["label"] for _, one in found if one["status"] == "done"})
    return _print_outcome(name, classes, found, LeftOut(), as_json=as_json)


def _find(
    paths: Sequence[Path], left_out: LeftOut, class_from: str | None, *, by_folder: bool
) -> tuple[list[Picture], dict[Path, str]]:
    """Return the pictures of all paths, each once, and their external ids."""
    pictures: list[Picture] = []
    names: dict[Path, str] = {}
    named: dict[str, int] = {}
    for path in paths:
        here = _pictures(path, left_out, by_folder=by_folder)
        if by_folder and here and all(picture.path.parent == path for picture in here):
            named[here[0].label] = len(here)
        pictures += [picture for picture in here if picture.path not in names]
        names |= {picture.path: relative_name(picture.path, path) for picture in here}
    if named:
        announced = ", ".join(f"{label!r} ({count:,})" for label, count in named.items())
        click.echo(f"classes named after their folders, without --label: {announced}", err=True)
    if by_folder:
        pictures = choose_classes(pictures, paths, class_from)
    if not pictures:
        raise none_found(f"under {', '.join(map(shown_name, paths))}", left_out)
    return pictures, names


def _pictures(path: Path, left_out: LeftOut, *, by_folder: bool) -> list[Picture]:
    """Return the pictures of a path that have a class, which their folder may name."""
    if path.is_file() and by_folder:
        raise ExemplarError(
            "label_missing", f"{shown_name(path)} is a file; name the class of its picture: --label LABEL"
        )
    pictures = find_pictures(path, left_out)
    return _without_loose(path, pictures, left_out) if by_folder else pictures


def _groups(pictures: Sequence[Picture]) -> list[Group]:
    by_label = sorted(pictures, key=lambda picture: picture.label)
    return [
        (label, [picture.path for picture in group])
        for label, group in groupby(by_label, key=lambda picture: picture.label)
    ]


def _without_loose(path: Path, pictures: Sequence[Picture], left_out: LeftOut) -> list[Picture]:
    """Drop pictures next to class folders: the parent folder's name is no class."""
    classed = [picture for picture in pictures if picture.path.parent != path]
    loose = len(pictures) - len(classed)
    if not classed or not loose:
        return list(pictures)
    click.echo(
        f"skipping {loose} pictures in {shown_name(path)} itself, next to the class folders; "
        "put them into a class folder, or give their class with --label",
        err=True,
    )
    left_out.add("picture beside the folders of classes", loose)
    return classed


def _print_outcome(
    collection: str,
    classes: int,
    results: Sequence[tuple[PurePath, Json]],
    left_out: LeftOut,
    *,
    as_json: bool,
) -> int:
    """Print the outcome of the pictures; return the exit code."""
    failed = print_results(results, as_json=as_json)
    done = [(file, result) for file, result in results if result["status"] == "done"]
    twice = sum(result["duplicate_of"] == result["support_id"] for _, result in done)
    elsewhere = [one for one in done if one[1]["duplicate_of"] not in (None, one[1]["support_id"])]
    if as_json:
        if left_out:
            print_json(left_out.as_json())
        return 1 if failed else 0
    into = f"{classes} class{'' if classes == 1 else 'es'} of {collection}"
    if any("labels" in result for _, result in done):
        into = collection
    enrolled = len(results) - failed - twice
    click.echo(f"{enrolled} enrolled in {into}, {twice} already there, {failed} failed")
    print_findings(results)
    for file, result in elsewhere[:MOST_SHOWN]:
        old, label = result["duplicate_of"], result["duplicate_label"]
        move = f"exemplar supports move {old} -c {collection} --to {shlex.quote(result['label'])}"
        click.echo(
            f"{shown_name(file)} is also an example of {label}; to have it here only: {move}", err=True
        )
    if len(elsewhere) > MOST_SHOWN:
        click.echo(f"and {len(elsewhere) - MOST_SHOWN} more are also examples of other classes", err=True)
    if left_out:
        click.echo(str(left_out))
    return 1 if failed else 0
