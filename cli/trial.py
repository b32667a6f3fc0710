"""One evaluation: supports drawn from a folder and enrolled, queries answered, and the resulting metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cli.classification_report import accuracy, report_numbers
from cli.folders import Embedded
from core.answers import Answer
from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind, DecisionName, Rule
from core.vectors import Vectors
from index.decide import classify
from index.replica import Replica
from index.smoothing import smooth
from index.supports import Floats, Ids

BINS = 15  # of the expected calibration error (Guo et al. 2017, arXiv 1706.04599)
DRAWS = 5
BLOCK = 1_024  # queries per call


@dataclass(frozen=True, slots=True)
class Plan:
    """What to evaluate: supports per class, `uneven` of them for every second class if given."""

    rule: Rule
    shots: int
    uneven: int | None = None
    draws: int | None = None
    """None draws five times, or once if every draw would be the same."""
    smooth: bool = False

    def counts(self, classes: Sequence[str]) -> dict[str, int]:
        """Return the number of supports of each class; the first, third and so on by name count as old."""
        fewer = self.shots if self.uneven is None else min(self.uneven, self.shots)
        return {label: fewer if place % 2 else self.shots for place, label in enumerate(classes)}


@dataclass(frozen=True, slots=True)
class Trial:
    """The answers to the queries for one draw of supports, with each best candidate and its probability."""

    known: list[Answer]
    unfamiliar: list[Answer]
    best: list[str]
    confidence: Floats


def try_out(
    plan: Plan, supports: Embedded, queries: Embedded, unfamiliar: Embedded | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Return the metrics of a plan as JSON, and the best candidates of its first draw.

    Accuracy, report and calibration use the best candidate, whatever the decision. Numbers are averaged over
    the draws; the report is the first draw's.
    """
    counts = plan.counts(supports.classes)
    held = Counter(supports.labels)
    draws = plan.draws or (1 if all(held[label] <= count for label, count in counts.items()) else DRAWS)
    trials = [
        _trial(plan, supports.take(draw(supports.labels, counts, number)), queries, unfamiliar)
        for number in range(draws)
    ]
    accuracies = [accuracy(queries.labels, trial.best) for trial in trials]
    numbers = {
        "shots": plan.shots,
        "draws": draws,
        "accuracy_mean": float(np.mean(accuracies)),
        "accuracy_std": float(np.std(accuracies)),
        "accuracy": accuracies,
        "report": report_numbers(queries.labels, trials[0].best),
        "ece": float(np.mean([calibration_error(queries.labels, trial) for trial in trials])),
        "unknown": None if unfamiliar is None else _means(_unknown(trial) for trial in trials),
        # additions to the documented contract
        "accepted_at_target": None
        if unfamiliar is None
        else float(np.mean([_accepted(trial, plan.rule.false_reject) for trial in trials])),
        "unfamiliar": 0 if unfamiliar is None else len(unfamiliar.labels),
        "uneven": None if plan.uneven is None else _halves(counts, plan, queries, trials),
        "sets": None if plan.smooth else _sets(plan.rule.coverage, queries, trials),
        "decisions": _means(_decisions(plan.rule, queries, trial) for trial in trials),
        "rule_used": trials[0].known[0].rule.value,
        "smoothed": plan.smooth,
    }
    return numbers, trials[0].best


def draw(labels: Sequence[str], counts: Mapping[str, int], number: int) -> Ids:
    """Return the rows of draw `number`: of each class the files from number * count on, wrapping around."""
    rows: list[int] = []
    for label in sorted(counts):
        own = [row for row, one in enumerate(labels) if one == label]
        count = counts[label]
        rows += [own[(number * count + step) % len(own)] for step in range(min(count, len(own)))]
    return np.array(rows, np.int64)


def enrolled(supports: Embedded) -> Replica:
    """Return a replica that holds the supports."""
    classes = [ClassChange(id_, name, ClassKind.NORMAL) for id_, name in enumerate(supports.classes, start=1)]
    ids = {one.label: one.id for one in classes}
    changes = [
        SupportChange(id_, ids[label], vector)
        for id_, (label, vector) in enumerate(zip(supports.labels, supports.vectors, strict=True), start=1)
    ]
    replica = Replica(supports.vectors.shape[1])
    replica.apply(Changes(len(changes), classes, changes))
    return replica


def calibration_error(truth: Sequence[str], trial: Trial) -> float:
    """Return the expected calibration error over 15 bins."""
    right = np.array(trial.best) == np.array(truth)
    bins = np.minimum((trial.confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(trial.confidence[bins == number].mean() - right[bins == number].mean()) * (bins == number).mean()
        for number in range(BINS)
        if (bins == number).any()
    ]
    return float(sum(gaps))


def _trial(plan: Plan, supports: Embedded, queries: Embedded, unfamiliar: Embedded | None) -> Trial:
    replica = enrolled(supports)
    known = _classified(replica, plan.rule, queries.vectors)
    answers_to_unfamiliar = [] if unfamiliar is None else _classified(replica, plan.rule, unfamiliar.vectors)
    best = [answer.candidates[0].label for answer in known]
    confidence = np.array([answer.candidates[0].probability for answer in known])
    if plan.smooth:
        labels, probabilities = _probabilities(replica, plan.rule, queries.vectors)
        smoothed = smooth(probabilities, queries.vectors)
        best = [labels[column] for column in smoothed.argmax(axis=1)]
        confidence = smoothed.max(axis=1).astype(np.float64)
    return Trial(known, answers_to_unfamiliar, best, confidence)


def _classified(replica: Replica, rule: Rule, queries: Vectors) -> list[Answer]:
    starts = range(0, len(queries), BLOCK)
    return [
        answer
        for start in starts
        for answer in classify(replica, rule, queries[start : start + BLOCK], top=1)
    ]


def _probabilities(replica: Replica, rule: Rule, queries: Vectors) -> tuple[list[str], Floats]:
    fitted = replica.fit(rule)
    labels = [replica.classes[class_id].label for class_id in fitted.fit.supports.class_ids.tolist()]
    blocks = [
        fitted.probabilities(fitted.fit.scores(queries[start : start + BLOCK]))
        for start in range(0, len(queries), BLOCK)
    ]
    return labels, np.concatenate(blocks)


def _unknown(trial: Trial) -> dict[str, float | None]:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - 2 s that a refusal need not pay

    known, unfamiliar = _scores(trial.known), _scores(trial.unfamiliar)
    novelty = trial.unfamiliar[0].novelty
    return {
        "auroc": float(roc_auc_score([1] * len(known) + [0] * len(unfamiliar), [*known, *unfamiliar])),
        "false_reject": _share(answer.decision is DecisionName.UNKNOWN for answer in trial.known),
        "accepted_strangers": _share(
            answer.decision is not DecisionName.UNKNOWN for answer in trial.unfamiliar
        ),
        "predicted": None if novelty is None else novelty.accepts_unfamiliar,
    }


def _accepted(trial: Trial, false_reject: float) -> float:
    """Return the share of unfamiliar pictures accepted by a threshold set on the queries, at the target."""
    threshold = np.quantile(_scores(trial.known), false_reject)
    return float((_scores(trial.unfamiliar) >= threshold).mean())


def _scores(answers: Sequence[Answer]) -> Floats:
    return np.array([-np.inf if one.novelty is None else one.novelty.score for one in answers])


def _halves(
    counts: Mapping[str, int], plan: Plan, queries: Embedded, trials: Sequence[Trial]
) -> dict[str, Any]:
    """Return the mean recall of the classes with many supports (old) and of those with few (new)."""
    classes = list(counts)
    parts: dict[str, Any] = {"old_shots": plan.shots, "new_shots": min(plan.uneven or 0, plan.shots)}
    for name, half in (("old_recall", classes[::2]), ("new_recall", classes[1::2])):
        parts[name] = mean([_recall(label, queries, trial) for trial in trials for label in half])
    return parts


def _recall(label: str, queries: Embedded, trial: Trial) -> float | None:
    own = [best == label for best, one in zip(trial.best, queries.labels, strict=True) if one == label]
    return _share(own) if own else None


def _sets(level: float, queries: Embedded, trials: Sequence[Trial]) -> dict[str, Any] | None:
    """Return the coverage of the candidate sets and their mean size, None if there are none."""
    stated = [
        (label in answer.candidate_set.labels, len(answer.candidate_set.labels))
        for trial in trials
        for label, answer in zip(queries.labels, trial.known, strict=True)
        if answer.candidate_set is not None
    ]
    if not stated:
        return None
    coverage, size = np.mean(np.array(stated, float), axis=0)
    return {"level": level, "coverage": float(coverage), "size": float(size)}


def _decisions(rule: Rule, queries: Embedded, trial: Trial) -> dict[str, float | None]:
    """Return the share of each decision, and the accuracy of those called known."""
    unknown = np.array([answer.decision is DecisionName.UNKNOWN for answer in trial.known])
    known = ~unknown & (trial.confidence >= rule.certainty)
    right = np.array(trial.best) == np.array(queries.labels)
    return {
        "known": float(known.mean()),
        "ambiguous": float((~unknown & ~known).mean()),
        "unknown": float(unknown.mean()),
        "right_of_known": float(right[known].mean()) if known.any() else None,
    }


def _means(rows: Iterable[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Average each number over the draws that have it."""
    rows = list(rows)
    return {name: mean([row[name] for row in rows]) for name in rows[0]}


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of those that are there."""
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None


def _share(of: Iterable[bool]) -> float:
    return float(np.mean(list(of)))
