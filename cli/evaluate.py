"""`exemplar evaluate`: measure accuracy on folders of pictures with the service's own code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from cli.class_folders import CLASS_FROM
from cli.classification_report import report_text
from cli.evaluate_labels import evaluate_manifests, labels_text
from cli.evaluate_text import few, figure, right_aligned
from cli.folders import Embedded, embed_folder
from cli.left_out import LeftOut
from cli.options import JSON, VIEWS, rule_of, takes_aim, takes_rule
from cli.trial import Plan, try_out
from core.collections import Rule, Views
from core.errors import ExemplarError
from core.settings import read_settings
from core.specs import PACKAGED
from encoders import Encoder, open_encoder
from encoders.threads import use_threads
from formats.class_folders import ClassFrom

LEGEND = {
    "ECE": "expected calibration error",
    "sets": "share of candidate sets that contain the true class, and their mean size",
    "old/new": "recall of the classes with more and with fewer supports",
    "AUROC": "of telling unfamiliar pictures from pictures of enrolled classes",
    "rejected": "pictures of enrolled classes called unknown",
    "accepted": "unfamiliar pictures not called unknown",
    "predicted": "the same share as predicted from the supports alone",
}


OF_FOLDERS = ("unknown", "held_out", "uneven", "smooth", "class_from")  # options that manifests have not


FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("--support", type=FOLDER, help="Folder of examples, one subfolder per class.")
@click.option("--query", type=FOLDER, help="Folder of test pictures of the same classes.")
@click.option(
    "--support-manifest",
    type=FILE,
    help="Instead, for several labels a picture: a CSV file of examples with the columns path, labels "
    "(separated by ;) and maybe complete, whether a picture has no other labels.",
)
@click.option("--query-manifest", type=FILE, help="The same of test pictures.")
@click.option("--shots", default="1,5", show_default=True, help="Supports of each class, comma separated.")
@click.option("--draws", type=click.IntRange(1), help="Draws; default 5, or 1 where all supports are used.")
@click.option(
    "--uneven",
    type=click.IntRange(1),
    help="Supports of every second class by name, to simulate new classes; the others get --shots.",
)
@click.option(
    "--encoder",
    "spec",
    metavar="SPEC",
    default=PACKAGED[0],
    show_default=True,
    help="Encoder to use.",
)
@CLASS_FROM
@VIEWS
@takes_rule
@takes_aim
@click.option("--unknown", type=FOLDER, help="Unfamiliar pictures, to measure how many are accepted.")
@click.option(
    "--held-out",
    metavar="N",
    type=click.IntRange(1),
    help="Leave N classes, evenly spread by name, out of the supports; their queries are the unfamiliar "
    "pictures.",
)
@click.option("--smooth", is_flag=True, help="Smooth the answers over similar queries, as bulk jobs can.")
@click.option(
    "--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads of the encoder."
)
@JSON
def evaluate(
    *,
    support: Path | None,
    query: Path | None,
    support_manifest: Path | None,
    query_manifest: Path | None,
    shots: str,
    spec: str,
    views: str | None,
    as_json: bool,
    threads: int,
    **options: Any,
) -> None:
    """Measure accuracy on folders of pictures, or on manifests of several labels; needs no service.

    Accuracy, report and calibration error (ECE) use the best candidate, whatever the decision.
    """
    numbers = _numbers(shots)
    folders = _both(support, query, "--support and --query")
    manifests = _both(support_manifest, query_manifest, "--support-manifest and --query-manifest")
    if (folders is None) == (manifests is None):
        raise click.UsageError("expected --support and --query, or --support-manifest and --query-manifest")
    _check_options(options, with_manifests=manifests is not None)
    chosen = Views(views or Views.ONE)
    if chosen is Views.TILES and manifests is None:
        raise click.UsageError("--views tiles goes with manifests only")
    use_threads(threads)
    settings = read_settings()
    encoder = open_encoder(
        spec, device=settings.device, precision=settings.precision, runtime=settings.runtime
    )
    if manifests is not None:
        rule = _rule(options)
        outcome = evaluate_manifests(manifests, encoder, chosen, rule, numbers, options["draws"])
        click.echo(json.dumps(outcome) if as_json else labels_text(outcome))
    elif folders is not None:
        outcome, texts = _evaluate_folders(folders, encoder, chosen, numbers, options)
        click.echo(json.dumps(outcome) if as_json else "\n".join([*texts, summary(outcome)]))


def _evaluate_folders(
    folders: tuple[Path, Path],
    encoder: Encoder,
    views: Views,
    numbers: Sequence[int],
    options: dict[str, Any],
) -> tuple[dict[str, Any], list[str]]:
    """Return the outcome as JSON, and the report of each number of shots as text."""
    left_out = LeftOut()
    supports, queries = (
        embed_folder(encoder, root, views, left_out, class_from=options["class_from"]) for root in folders
    )
    unfamiliar = None
    if options["unknown"] is not None:
        unfamiliar = embed_folder(encoder, options["unknown"], views, left_out, class_from=ClassFrom.NEAREST)
    if left_out:
        click.echo(str(left_out), err=True)
    _check_classes(supports, queries)
    if options["held_out"] is not None:
        supports, queries, unfamiliar = hold_out(supports, queries, options["held_out"])
    plans = [_plan(number, options) for number in numbers]
    tried = [try_out(plan, supports, queries, unfamiliar) for plan in plans]
    rule = plans[0].rule
    outcome = {
        "encoder": encoder.spec,
        "rule": f"{rule.name.value}/{rule.metric.value}",
        "views": 1 if views is Views.ONE else views.value,
        "classes": len(supports.classes),
        "queries": len(queries.labels),
        **(left_out.as_json() if left_out else {}),
        "results": [result for result, _ in tried],
    }
    texts = [
        f"\n{result['shots']} of each class, the first draw of {result['draws']}:\n\n"
        f"{report_text(queries.labels, best)}"
        for result, best in tried
    ]
    return outcome, texts


def _both(first: Path | None, second: Path | None, named: str) -> tuple[Path, Path] | None:
    if first is None and second is None:
        return None
    if first is None or second is None:
        raise click.UsageError(f"expected both {named}, got one")
    return first, second


def _check_options(options: dict[str, Any], *, with_manifests: bool) -> None:
    if options["unknown"] is not None and options["held_out"] is not None:
        raise click.UsageError("expected --unknown or --held-out, got both")
    refused = OF_FOLDERS if with_manifests else ("aim", "precision")
    for name in refused:
        if options[name] not in (None, False):
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} goes with {'folders' if with_manifests else 'manifests'} only")


def hold_out(supports: Embedded, queries: Embedded, number: int) -> tuple[Embedded, Embedded, Embedded]:
    """Hold out classes evenly by name; return the other supports and queries, and the held-out queries."""
    classes = supports.classes
    if number >= len(classes):
        raise ExemplarError(
            "classes_invalid",
            f"expected fewer held-out classes than the {len(classes)} classes, got {number}",
        )
    places = {(2 * place + 1) * len(classes) // (2 * number) for place in range(number)}
    unfamiliar = {classes[place] for place in places}
    enrolled = set(classes) - unfamiliar
    parts = supports.of(enrolled), queries.of(enrolled), queries.of(unfamiliar)
    if not parts[1].labels or not parts[2].labels:
        raise ExemplarError(
            "classes_invalid", "expected queries of enrolled and of held-out classes, got those of one only"
        )
    return parts


def summary(outcome: dict[str, Any]) -> str:
    """Return one line for each number of shots, below the description of the run."""
    results = outcome["results"]
    used = ", ".join(sorted({result["rule_used"] for result in results}))
    about = f"views {outcome['views']}, rule {outcome['rule']} (used: {used}), {outcome['classes']} classes, "
    about += f"{outcome['queries']} queries" + (", smoothed" if results[0]["smoothed"] else "")
    rows = [_cells(result) for result in results]
    table = right_aligned([list(rows[0]), *(list(row.values()) for row in rows)])
    legend = [f"{name}: {LEGEND[name]}" for name in rows[0] if name in LEGEND]
    return "\n".join([outcome["encoder"], about, "", *table, "", *legend])


def _cells(result: dict[str, Any]) -> dict[str, str]:
    sets, unknown, uneven = result["sets"], result["unknown"], result["uneven"]
    cells = {
        "shots": str(result["shots"]) + ("" if uneven is None else f"/{uneven['new_shots']}"),
        "draws": str(result["draws"]),
        "accuracy": f"{result['accuracy_mean']:.4f} ± {result['accuracy_std']:.4f}",
        "ECE": f"{result['ece']:.3f}",
        "sets": "-" if sets is None else f"{sets['coverage']:.3f}, {sets['size']:.1f}",
    }
    if uneven is not None:
        cells["old/new"] = f"{figure(uneven['old_recall'])}/{figure(uneven['new_recall'])}"
    if unknown is not None:
        cells["AUROC"] = figure(unknown["auroc"])
        cells["rejected"] = figure(unknown["false_reject"])
        cells["accepted"] = figure(unknown["accepted_strangers"])
        cells["predicted"] = figure(unknown["predicted"])
    return cells


def _plan(shots: int, options: dict[str, Any]) -> Plan:
    return Plan(_rule(options), shots, options["uneven"], options["draws"], options["smooth"])


def _rule(options: dict[str, Any]) -> Rule:
    return rule_of({field.name: options[field.name] for field in fields(Rule)})


def _check_classes(supports: Embedded, queries: Embedded) -> None:
    missing = sorted(set(queries.labels) - set(supports.labels))
    if missing:
        raise ExemplarError(
            "classes_invalid",
            f"expected every class of --query in --support, got {few(missing)} as well; give pictures of no "
            "class with --unknown",
        )


def _numbers(shots: str) -> Sequence[int]:
    try:
        numbers = [int(part) for part in shots.split(",")]
    except ValueError as error:
        raise ExemplarError("shots_invalid", f"expected numbers like 1,5, got {shots!r}") from error
    if min(numbers) < 1:
        raise ExemplarError("shots_invalid", f"expected numbers of at least 1, got {shots!r}")
    return numbers
