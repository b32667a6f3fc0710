"""`exemplar evaluate`: accuracy on folders of pictures, through the product's own code."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from cli.client import find_pictures
from cli.progress import progress_bar
from cli.report import accuracy, report_numbers, report_text
from core.changes import Changes, ClassChange, SupportChange
from core.errors import ExemplarError
from core.pictures import decode_picture
from core.settings import read_settings
from core.types import ClassKind, DecisionName, Metric, Rule, RuleName
from core.vectors import Vectors
from encoders import Encoder, open_encoder
from encoders.threads import use_threads
from index.decide import Answer, classify
from index.replica import Replica

BINS = 15  # of the expected calibration error (Guo et al. 2017, arXiv 1706.04599)
DRAWS = 5


@dataclass(frozen=True, slots=True)
class Embedded:
    """Pictures of one folder of classes as vectors, in name order."""

    labels: list[str]
    vectors: Vectors


@click.command()
@click.option("--support", "support", required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--query", "query", required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--shots", default="1,5", show_default=True, help="Supports of each class, comma separated.")
@click.option("--draws", type=click.IntRange(1), help="Draws; default 5, or 1 where all supports are used.")
@click.option("--encoder", "spec", default="compact", show_default=True)
@click.option("--rule", type=click.Choice([rule.value for rule in RuleName]), default="prototype")
@click.option("--metric", type=click.Choice([metric.value for metric in Metric]), default="cosine")
@click.option("--unknown", type=click.Path(path_type=Path, exists=True), help="Pictures of no class at all.")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(
    support: Path,
    query: Path,
    shots: str,
    draws: int | None,
    spec: str,
    rule: str,
    metric: str,
    unknown: Path | None,
    threads: int,
    as_json: bool,
) -> None:
    """Measure accuracy on folders of pictures; needs no service."""
    use_threads(threads)
    encoder = open_encoder(spec, device=read_settings().device)
    chosen = Rule(RuleName(rule), Metric(metric))
    supports, queries = embed_folder(encoder, support), embed_folder(encoder, query)
    strangers = None if unknown is None else embed_folder(encoder, unknown)
    measured = [_measure(chosen, supports, queries, strangers, number, draws) for number in _numbers(shots)]
    outcome = {
        "encoder": encoder.spec,
        "rule": f"{chosen.name.value}/{chosen.metric.value}",
        "views": 1,
        "classes": len(set(supports.labels)),
        "queries": len(queries.labels),
        "results": [result for result, _ in measured],
    }
    if as_json:
        click.echo(json.dumps(outcome))
        return
    for result, table in measured:
        click.echo(
            f"\n{result['shots']} shot(s), {result['draws']} draw(s): accuracy {result['accuracy_mean']:.4f} "
            f"± {result['accuracy_std']:.4f}, ECE {result['ece']:.3f}; the first draw:\n\n{table}"
        )


def embed_folder(encoder: Encoder, root: Path) -> Embedded:
    """Embed every picture under a folder; one that cannot be read raises what is wrong with it."""
    pictures = find_pictures(root)
    if not pictures:
        raise ExemplarError("picture_missing", f"expected pictures under {root}, found none")
    max_pixels = read_settings().max_pixels
    parts: list[Vectors] = []
    with progress_bar() as bar:
        starts = range(0, len(pictures), encoder.batch_size)
        for start in bar.track(starts, description=f"embedding {root.name}"):
            batch = [picture.path for picture in pictures[start : start + encoder.batch_size]]
            parts.append(encoder.embed([_prepare(encoder, path, max_pixels) for path in batch]))
    return Embedded([picture.label for picture in pictures], np.concatenate(parts))


def draw(labels: Sequence[str], shots: int, number: int) -> npt.NDArray[np.int64]:
    """Return the rows of draw `number`: in each class the files from number * shots on, wrapping round."""
    rows: list[int] = []
    for label in sorted(set(labels)):
        own = [row for row, one in enumerate(labels) if one == label]
        rows += [own[(number * shots + step) % len(own)] for step in range(min(shots, len(own)))]
    return np.array(rows, np.int64)


def answers_of(rule: Rule, labels: Sequence[str], vectors: Vectors, queries: Vectors) -> list[Answer]:
    """Enrol labelled vectors into a new replica and classify the queries."""
    names = sorted(set(labels))
    classes = [ClassChange(number, name, ClassKind.NORMAL) for number, name in enumerate(names, start=1)]
    supports = [
        SupportChange(row, names.index(label) + 1, vector)
        for row, (label, vector) in enumerate(zip(labels, vectors, strict=True), start=1)
    ]
    replica = Replica(vectors.shape[1])
    replica.apply(Changes(len(supports), classes, supports))
    return classify(replica, rule, queries, top=5)


def _prepare(encoder: Encoder, path: Path, max_pixels: int) -> Any:
    try:
        return encoder.prepare(decode_picture(path.read_bytes(), max_pixels=max_pixels))
    except ExemplarError as error:
        raise ExemplarError(error.code, f"{path}: {error.message}") from error


def _measure(
    rule: Rule,
    supports: Embedded,
    queries: Embedded,
    strangers: Embedded | None,
    shots: int,
    draws: int | None,
) -> tuple[dict[str, Any], str]:
    most = max(Counter(supports.labels).values())
    draws = draws or (1 if shots >= most else DRAWS)
    rounds = []
    for number in range(draws):
        rows = draw(supports.labels, shots, number)
        labels = [supports.labels[row] for row in rows]
        rounds.append((labels, answers_of(rule, labels, supports.vectors[rows], queries.vectors)))
    accuracies = [accuracy(queries.labels, _names(answers)) for _, answers in rounds]
    first_labels, first = rounds[0]
    numbers = {
        "shots": shots,
        "draws": draws,
        "accuracy_mean": float(np.mean(accuracies)),
        "accuracy_std": float(np.std(accuracies)),
        "accuracy": accuracies,
        "report": report_numbers(queries.labels, _names(first)),
        "ece": float(np.mean([_ece(queries.labels, answers) for _, answers in rounds])),
        "unknown": None
        if strangers is None
        else _strangers(
            rule, first, strangers, first_labels, supports.vectors[draw(supports.labels, shots, 0)]
        ),
    }
    return numbers, report_text(queries.labels, _names(first))


def _strangers(
    rule: Rule, known: Sequence[Answer], strangers: Embedded, labels: Sequence[str], vectors: Vectors
) -> dict[str, Any]:
    strange = answers_of(rule, labels, vectors, strangers.vectors)
    nearness = [answer.neighbours[0].similarity for answer in (*known, *strange)]
    return {
        "auroc": float(roc_auc_score([1] * len(known) + [0] * len(strange), nearness)),
        "false_reject": _share_known(known, wanted=False),
        "accepted_strangers": _share_known(strange, wanted=True),
        "predicted": None,
    }


def _share_known(answers: Sequence[Answer], *, wanted: bool) -> float:
    return sum((answer.decision is DecisionName.KNOWN) == wanted for answer in answers) / len(answers)


def _names(answers: Sequence[Answer]) -> list[str]:
    return [answer.label or f"({answer.decision.value})" for answer in answers]


def _ece(truth: Sequence[str], answers: Sequence[Answer]) -> float:
    confidences = np.array([answer.confidence for answer in answers])
    right = np.array([answer.label == label for answer, label in zip(answers, truth, strict=True)])
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidences[bins == number].mean() - right[bins == number].mean()) * (bins == number).mean()
        for number in range(BINS)
        if (bins == number).any()
    ]
    return float(sum(gaps))


def _numbers(shots: str) -> list[int]:
    try:
        numbers = [int(part) for part in shots.split(",")]
    except ValueError as error:
        raise ExemplarError("shots_unfit", f"expected numbers like 1,5, got {shots!r}") from error
    if min(numbers) < 1:
        raise ExemplarError("shots_unfit", f"expected numbers of at least 1, got {shots!r}")
    return numbers
