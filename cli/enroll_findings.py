"""What `exemplar enroll` prints of findings, and of a dry run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath

import click

from cli.client import Client, Json
from cli.file_names import shown_name
from cli.show import print_json
from core.errors import ExemplarError

MOST_SHOWN = 10  # pictures with findings

Results = Sequence[tuple[PurePath, Json]]


def effects_of(client: Client, jobs: Sequence[Json]) -> list[Json]:
    """Return how each check would change the answers, with the class of its first picture.

    Checks whose vectors were not kept are left out.
    """
    found = [(job, effect) for job in jobs if (effect := _effect(client, job)) is not None]
    return [{"label": _label(client, job), **effect} for job, effect in found]


def _label(client: Client, job: Json) -> str | None:
    """Return the class of a check's pictures; one that failed has none."""
    return next((one["label"] for one in client.results(job) if one.get("label")), None)


def _effect(client: Client, job: Json) -> Json | None:
    try:
        asked = client.call("POST", f"/v1/jobs/{job['id']}/effect").json()
    except ExemplarError as error:
        if error.code != "vectors_missing":  # none could be embedded, or the service keeps none
            raise
        return None
    client.wait(asked)
    [result] = list(client.results(asked))
    effect: Json | None = result.get("effect")
    return effect


def print_results(results: Results, *, as_json: bool) -> int:
    """Print all results as JSON, or why pictures failed; return how many did."""
    failed = [(file, result) for file, result in results if result["status"] == "failed"]
    for file, result in results if as_json else ():
        print_json({"file": shown_name(file), **result})
    for file, result in () if as_json else failed:
        click.echo(f"{shown_name(file)}: {result['error']['detail']} ({result['error']['code']})", err=True)
    return len(failed)


def print_checked(collection: str, results: Results, effects: Sequence[Json], *, as_json: bool) -> int:
    """Print what a dry run found; return the exit code."""
    failed = print_results(results, as_json=as_json)
    if as_json:
        for effect in effects:
            print_json({"effect": effect})
        return 1 if failed else 0
    good = len(results) - failed
    click.echo(f"{good} would be enrolled in {collection}, {failed} would fail; nothing was added")
    print_findings(results, err=False)
    for effect in effects:
        named = f"{effect['label']}: " if len(effects) > 1 and effect["label"] else ""
        click.echo(named + effect_text(effect))
    return 1 if failed else 0


def print_findings(results: Results, *, err: bool = True) -> None:
    """Print how often each finding occurs, to standard error or not, and the first pictures that have one."""
    found = [
        (file, finding) for file, result in results for finding in result.get("findings") or () if finding
    ]
    if not found:
        return
    counts = Counter(finding["code"] for _, finding in found)
    click.echo("findings: " + ", ".join(f"{count} {code}" for code, count in counts.most_common()), err=err)
    for line in list(_lines(found))[:MOST_SHOWN]:
        click.echo(f"  {line}", err=True)
    if len(found) > MOST_SHOWN:
        click.echo(f"  and {len(found) - MOST_SHOWN} more (--json shows all)", err=True)


def _lines(found: Results) -> Iterator[str]:
    for file, finding in found:
        about = f" ({finding['label']})" if finding.get("label") else ""
        yield (
            f"{shown_name(file)}: {finding['code']}{about}, {finding['value']:g}, limit {finding['limit']:g}"
        )


def effect_text(effect: Json) -> str:
    """Return lines on how answers would change, and on labels that may be wrong."""
    return "\n".join([_change_text(effect), *_suspect_lines(effect["suspects"])])


def _change_text(effect: Json) -> str:
    if effect["before"] is None:
        return "how the answers would change cannot be told: no class has two pictures yet"
    error = effect["standard_error"]
    doubt = "" if error is None else f" ± {100 * error:.1f}"
    return (
        f"with these {effect['added']}: {effect['before']:.1%} of {effect['judged']} pictures are recognised "
        f"by the others now, {effect['after']:.1%} then ({100 * effect['change']:+.1f}{doubt} points)"
    )


def _suspect_lines(suspects: Json) -> Iterator[str]:
    if suspects["total"]:
        pairs = dict.fromkeys(f"{one['label']} like {one['looks_like']}" for one in suspects["items"])
        yield (
            f"{suspects['total']} of them are nearer to another class than to their own: "
            f"{', '.join(list(pairs)[:MOST_SHOWN])}"
        )
