"""Live answers: what is counted of the answers that a collection gives, and sums of such counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.collections import DecisionName, LabelDecision
from core.results import Result, has_several, is_answer, labels_of


@dataclass(slots=True)
class Confidences:
    """The probabilities of the labels given: their number, sum and sum of squares."""

    number: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, probability: float) -> None:
        """Count one more."""
        self.number += 1
        self.total += probability
        self.squares += probability * probability


@dataclass(slots=True)
class LiveCounts:
    """Counts of some answers."""

    answers: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    """Of the answers that give a label."""
    confidences: Confidences = field(default_factory=Confidences)
    judged: int = 0
    """Answers with a novelty that can be compared with its threshold."""
    novel: int = 0
    """Those below it."""

    @property
    def unknown_share(self) -> float | None:
        """The share of answers without a known label; None without any."""
        return self.decisions.get(DecisionName.UNKNOWN, 0) / self.answers if self.answers else None

    @property
    def novel_share(self) -> float | None:
        """The share below the threshold of novelty; None if none could be compared."""
        return self.novel / self.judged if self.judged else None

    def count(self, answer: Result) -> None:
        """Count one more answer."""
        self.answers += 1
        self.decisions[answer["decision"]] += 1
        for label, probability in _given(answer):
            self.labels[label] += 1
            self.confidences.add(probability)
        novelty = answer.get("novelty") or {}
        score, threshold = novelty.get("score"), novelty.get("threshold")
        if score is not None and threshold is not None:
            self.judged += 1
            self.novel += score < threshold

    def add(self, other: LiveCounts) -> None:
        """Add the counts of other answers."""
        self.answers += other.answers
        self.decisions.update(other.decisions)
        self.labels.update(other.labels)
        self.confidences.number += other.confidences.number
        self.confidences.total += other.confidences.total
        self.confidences.squares += other.confidences.squares
        self.judged += other.judged
        self.novel += other.novel

    def pack(self) -> dict[str, Any]:
        """Return them as JSON."""
        sums = self.confidences
        return {
            "answers": self.answers,
            "decisions": dict(self.decisions),
            "labels": dict(self.labels),
            "confidences": [sums.number, sums.total, sums.squares],
            "judged": self.judged,
            "novel": self.novel,
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> LiveCounts:
        """Return counts from JSON."""
        return cls(
            answers=packed["answers"],
            decisions=Counter(packed["decisions"]),
            labels=Counter(packed["labels"]),
            confidences=Confidences(*packed["confidences"]),
            judged=packed["judged"],
            novel=packed["novel"],
        )


def counts_of(results: Iterable[Result]) -> LiveCounts:
    """Return the counts of the answers among results."""
    counts = LiveCounts()
    for result in results:
        if is_answer(result):
            counts.count(result)
    return counts


def mean_confidence(answer: Result) -> float | None:
    """Return the mean probability of the labels that an answer gives, None if it gives none."""
    probabilities = [probability for _, probability in _given(answer)]
    return sum(probabilities) / len(probabilities) if probabilities else None


def _given(answer: Result) -> Iterator[tuple[str, float]]:
    """Yield the labels that an answer gives, with their probabilities."""
    if has_several(answer):
        for one in answer["labels"]:
            if one["decision"] == LabelDecision.YES:
                yield one["label"], one["probability"]
    elif answer.get("confidence") is not None:
        for label in labels_of(answer):
            yield label, answer["confidence"]
