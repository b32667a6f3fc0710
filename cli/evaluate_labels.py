"""`exemplar evaluate` on manifests of several labels a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.evaluate_text import few, figure, right_aligned
from cli.folders import embed_pictures
from cli.label_manifests import LabelledPicture, read_label_manifest
from cli.label_trial import Labelled, try_out_labels
from cli.pictures import Picture
from cli.report_table import LABEL_CELLS, fit
from core.collections import Aim, Rule, Views
from core.errors import ExemplarError
from encoders import Encoder

LEGEND = {
    "mAP": "mean over the labels of average precision",
    "micro F1": "of all labels of all pictures together",
    "macro F1": "mean over the labels of their F1",
    "exact": "pictures that got exactly their labels",
    "ECE": "expected calibration error over all pictures and labels",
}


def evaluate_manifests(
    manifests: tuple[Path, Path],
    encoder: Encoder,
    views: Views,
    rule: Rule,
    shots: Sequence[int],
    draws: int | None,
) -> dict[str, Any]:
    """Return the outcome of the manifests of supports and of queries as JSON."""
    support, query = manifests
    # read first: embedding takes minutes, and a bad row should be known at once
    supports = read_label_manifest(support, complete=False)
    queries = read_label_manifest(query, complete=True)
    _check_labels(supports, queries)
    # supports have one vector: what is looked at in tiles is what is asked about
    of_supports = Views.ONE if views is Views.TILES else views
    enrolled = _embedded(encoder, supports, of_supports, support)
    asked = _embedded(encoder, queries, views, query)
    return {
        "encoder": encoder.spec,
        "rule": rule_text(rule),
        "views": 1 if views is Views.ONE else views.value,
        "labels": len(enrolled.names),
        "queries": len(queries),
        "results": [try_out_labels(rule, number, draws, enrolled, asked) for number in shots],
    }


def rule_text(rule: Rule) -> str:
    """Return the rule and its aim in a few words."""
    aim = f"precision {rule.precision:g}" if rule.aim is Aim.PRECISION else "best F1"
    return f"{rule.name.value}/{aim}"


def labels_text(outcome: dict[str, Any]) -> str:
    """Return the report of each number of shots, and one line for each below the description of the run."""
    results = outcome["results"]
    reports = [f"{_title(result)}\n\n{_report(result['per_label'])}\n" for result in results]
    used = ", ".join(sorted({result["rule_used"] for result in results}))
    about = f"views {outcome['views']}, rule {outcome['rule']} (used: {used}), {outcome['labels']} labels, "
    rows = [["shots", "draws", *LEGEND]]
    rows += [[str(result["shots"]), str(result["draws"]), *_cells(result)] for result in results]
    legend = [f"{name}: {text}" for name, text in LEGEND.items()]
    lines = [
        outcome["encoder"],
        f"{about}{outcome['queries']} queries",
        "",
        *right_aligned(rows),
        "",
        *legend,
    ]
    return "\n".join(["", *reports, *lines])


def _title(result: dict[str, Any]) -> str:
    return f"{result['shots']} pictures of each label, the first draw of {result['draws']}:"


def _report(per_label: dict[str, dict[str, Any]]) -> str:
    rows = [["", "precision", "recall", "f1-score", "avg. prec.", "support"]]
    for label, one in per_label.items():
        figures = (one["precision"], one["recall"], one["f1"], one["average_precision"])
        rows.append([fit(label, LABEL_CELLS), *map(figure, figures), str(one["support"])])
    return "\n".join(right_aligned(rows))


def _cells(result: dict[str, Any]) -> list[str]:
    names = ("map", "micro_f1", "macro_f1", "subset_accuracy", "ece")
    return [figure(result[name]) for name in names]


def _embedded(
    encoder: Encoder, pictures: Sequence[LabelledPicture], views: Views, manifest: Path
) -> Labelled:
    files = [Picture(one.path, "") for one in pictures]
    embedded = embed_pictures(encoder, files, views, title=f"embedding {manifest.name}")
    return Labelled.of(pictures, embedded.vectors, embedded.crops)


def _check_labels(supports: Sequence[LabelledPicture], queries: Sequence[LabelledPicture]) -> None:
    known = {label for one in supports for label in one.labels}
    if not known:
        raise ExemplarError("labels_invalid", "expected labels in --support-manifest, got none")
    missing = sorted({label for one in queries for label in one.labels} - known)
    if missing:
        raise ExemplarError(
            "labels_invalid",
            f"expected every label of --query-manifest in --support-manifest, got {few(missing)} as well",
        )
