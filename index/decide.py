"""From scores to an answer: a label with its probability, or an honest "unknown"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.types import ClassKind, DecisionName, Rule
from core.vectors import Vectors
from index.replica import Evidence, Replica
from index.rules import Scores, score

# The softmax scale of few-shot cosines that calibrated best on photographs, 16 to 29 by shots and data;
# CLIP's own 100 is far too sure between pictures. One constant until it is fitted to each collection.
SHARPNESS = 20.0
NEIGHBOURS = 64  # the nearest rule sees so many supports; no more are needed to name the first few classes


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class that may be meant."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A support near to the picture."""

    support_id: int
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said about one picture, and by which version of the collection."""

    decision: DecisionName
    label: str | None
    confidence: float
    candidates: tuple[Candidate, ...]
    neighbours: tuple[Neighbour, ...]
    version: int


def classify(replica: Replica, rule: Rule, queries: Vectors, *, top: int) -> list[Answer]:
    """Answer m queries, each with its `top` candidates and neighbours.

    A picture is unknown where nothing has been enrolled yet or where a negative class is the best.
    """
    evidence = replica.gather(queries, max(top, NEIGHBOURS))
    probabilities = _softmax(score(rule, evidence))
    return [_answer(evidence, row, line, top) for row, line in enumerate(probabilities)]


def search(replica: Replica, queries: Vectors, *, top: int) -> tuple[list[tuple[Neighbour, ...]], int]:
    """Return the `top` nearest supports of each query, and the version that was searched."""
    evidence = replica.gather(queries, top)
    return [_neighbours(evidence, row, top) for row in range(len(queries))], evidence.version


def _answer(evidence: Evidence, row: int, probabilities: npt.NDArray[np.float64], top: int) -> Answer:
    order = np.argsort(-probabilities, kind="stable")[:top]
    classes = [evidence.classes[int(evidence.class_ids[column])] for column in order]
    candidates = tuple(
        Candidate(class_.label, float(probabilities[column]))
        for class_, column in zip(classes, order, strict=True)
        if probabilities[column] > 0
    )
    named = bool(classes) and classes[0].kind is ClassKind.NORMAL
    return Answer(
        decision=DecisionName.KNOWN if named else DecisionName.UNKNOWN,
        label=candidates[0].label if named else None,
        confidence=candidates[0].probability if candidates else 0.0,
        candidates=candidates,
        neighbours=_neighbours(evidence, row, top),
        version=evidence.version,
    )


def _neighbours(evidence: Evidence, row: int, top: int) -> tuple[Neighbour, ...]:
    found = zip(
        evidence.neighbour_ids[row][:top],
        evidence.neighbour_classes[row][:top],
        evidence.similarities[row][:top],
        strict=True,
    )
    return tuple(
        Neighbour(int(support_id), evidence.classes[int(class_id)].label, float(similarity))
        for support_id, class_id, similarity in found
        if support_id >= 0
    )


def _softmax(scores: Scores) -> Scores:
    if scores.shape[1] == 0:
        return scores
    shifted = np.exp(SHARPNESS * (scores - scores.max(axis=1, keepdims=True)))
    total: Scores = shifted / shifted.sum(axis=1, keepdims=True)
    return total
