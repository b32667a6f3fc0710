"""Random histories of a collection: what it answers at each version, and as of each version later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
from hypothesis import strategies as st

from benchmarks.common import DEFAULT
from core.answers import as_json
from core.collections import ClassKind, Labels, Rule, RuleName
from core.errors import ExemplarError
from core.jobs import Item, JobKind, JobRequest, Lane
from core.label_sets import LabelChange
from core.vectors import Vector, Vectors
from index.decide import classify, search
from index.decide_many import classify_many
from index.replica import Replica
from index.replicas import Replicas
from store.record.enrolment import Enrolment
from store.store import Store
from store.work.jobs import new_job_id
from store.work.settlement import Settlement
from worker.past import PastReplicas

DIM, PICTURES, NAMES, TOP = 8, 40, "abcd", 8
TIE = 1e-5  # between probabilities
OWNER = "histories:1"
RULES: Sequence[Mapping[str, Any]] = (
    {"name": RuleName.KERNEL}, {"name": RuleName.RIDGE}, {"certainty": 0.8}, {"false_reject": 0.0},
    {"name": RuleName.AUTO, "certainty": 0.5, "false_reject": 0.05},
)  # fmt: skip
RULES_OF_ONE = (*RULES, {"name": RuleName.PROTOTYPE}, {"name": RuleName.NEIGHBOURS})

Step = tuple[str, int, int]

_NAME, _ANY = st.integers(0, len(NAMES) - 1), st.integers(0, 999)
STEP: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("enrol"), _NAME, _ANY),
    st.tuples(st.just("enrol"), _NAME, _ANY),
    st.tuples(st.just("move"), _ANY, _NAME),
    st.tuples(st.just("delete"), _ANY, st.just(0)),
    st.tuples(st.just("rename"), _NAME, _NAME),
    st.tuples(st.just("merge"), _NAME, _NAME),
    st.tuples(st.just("kind"), _NAME, st.integers(0, 1)),
    st.tuples(st.just("delete class"), _NAME, st.just(0)),
    st.tuples(st.just("rule"), _ANY, st.just(0)),
    st.tuples(st.just("restore"), _ANY, st.just(0)),
)
HISTORY = st.lists(STEP, min_size=2, max_size=14)


def vector_of(number: int) -> Vector:
    """Return the vector of a picture."""
    raw = np.random.default_rng(number).normal(size=DIM)
    vector: Vector = (raw / np.linalg.norm(raw)).astype(np.float32)
    return vector


QUERIES: Vectors = np.stack([vector_of(-n % 2**32) for n in range(1, 4)])


@dataclass
class Trial:
    """One history of a collection of its own, with the answers at each version."""

    store: Store
    replicas: Replicas
    labels: Labels
    name: str = field(default_factory=lambda: f"h{uuid4().hex[:12]}")
    answers: dict[int, Any] = field(default_factory=dict)
    """By version."""
    compared: int = 0

    def run(self, history: Sequence[Step]) -> None:
        """Make the changes of a history; raises AssertionError if an answer as of a version differs."""
        self.store.collections.create(self.name, DEFAULT, Rule(), labels=self.labels)
        self._record()
        for what, first, second in history:
            before = self.version
            with suppress(ExemplarError):  # a class that is not there, a label that is taken
                self._change(what, first, second)
            if self.version != before:
                self._record()
        self.check()
        self.store.collections.delete(self.name)

    @property
    def version(self) -> int:
        """The collection's version."""
        return self.store.collections.find(self.name).version

    def check(self) -> None:
        """Compare the answers as of each version with those that were given then."""
        past = PastReplicas()
        collection = self.store.collections.find(self.name)
        for version, given in self.answers.items():
            replica, then = past.at(self.store.history, self._live(), collection, version)
            assert_same(_answers(replica, then.rule, self.labels), given, (version,))
            self.compared += 1

    def _record(self) -> None:
        collection = self.store.collections.find(self.name)
        self.answers[collection.version] = _answers(self._live(), collection.rule, self.labels)

    def _live(self) -> Replica:
        collection = self.store.collections.find(self.name)
        replica = self.replicas.current(collection.id, DIM)
        assert isinstance(replica, Replica)
        return replica

    def _change(self, what: str, first: int, second: int) -> None:
        classes, name = self.store.classes, self.name
        kinds = (ClassKind.NORMAL, ClassKind.NEGATIVE)
        rules = RULES if self.labels is Labels.MANY else RULES_OF_ONE
        steps: Mapping[str, Callable[[], object]] = {
            "enrol": lambda: self._enrol(first, second),
            "move": lambda: self._change_support(first, NAMES[second]),
            "delete": lambda: self._change_support(first, None),
            "rename": lambda: classes.change(name, NAMES[first], new_label=NAMES[second]),
            "merge": lambda: classes.merge(name, NAMES[first], [NAMES[second]]),
            "kind": lambda: classes.change(name, NAMES[first], kind=kinds[second]),
            "delete class": lambda: classes.delete(name, NAMES[first]),
            "rule": lambda: self.store.collections.change(name, rules[first % len(rules)]),
            "restore": lambda: self._restore(sorted(self.answers)[first % len(self.answers)]),
        }
        steps[what]()

    def _restore(self, version: int) -> None:
        """Restore a version, whose answers are then given again."""
        reached = self.store.history.restore(self.name, version)
        rule = self.store.collections.find(self.name).rule
        again = _answers(self._live(), rule, self.labels)
        assert_same(_without_version(again), _without_version(self.answers[version]), (version, reached))

    def _change_support(self, number: int, label: str | None) -> None:
        """Give a support another label; None deletes it."""
        supports = self.store.supports.page(self.name)
        if not supports:
            return
        support = supports[number % len(supports)].id
        if label is None:
            self.store.supports.delete(self.name, support)
        elif self.labels is Labels.ONE:
            self.store.supports.move(self.name, support, label)
        else:
            change = LabelChange(add=(label,), complete=number % 3 == 0)
            self.store.supports.change_labels(self.name, support, change)

    def _enrol(self, label: int, seed: int) -> None:
        """Enrol some pictures of a label, or of two."""
        count = 1 + seed % 4
        labels = (NAMES[label],) if seed % 3 else (NAMES[label], NAMES[(label + 1) % len(NAMES)])
        said: dict[str, Any] = (
            {"label": NAMES[label]}
            if self.labels is Labels.ONE
            else {"labels": labels, "complete": seed % 2 == 0}
        )
        items = [Item(n, f"p{(seed + n) % PICTURES}", **said) for n in range(count)]
        self.store.jobs.submit(new_job_id(), JobRequest(self.name, JobKind.ENROLL, Lane.BULK, items))
        for chunk in self.store.chunks.claim(OWNER, DEFAULT, tuple(Lane), 64):
            made = [Enrolment(item, vector_of(int((item.picture or "p0")[1:])), "t") for item in chunk.items]
            self.store.chunks.settle(OWNER, [Settlement(chunk, made)])


def _answers(replica: Replica, rule: Rule, labels: Labels) -> list[Any]:
    ask: Callable[..., Any] = classify_many if labels is Labels.MANY else classify
    found, version = search(replica, QUERIES, top=TOP)
    near = [[(one.support_id, round(one.similarity, 5)) for one in line] for line in found]
    return [
        [_without_ties(dict(as_json(one))) for one in ask(replica, rule, QUERIES, top=TOP)],
        near,
        version,
    ]


def _without_ties(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without what the last digit decides, as where two classes have the same picture."""
    if "candidates" not in answer:
        return answer
    by_label = {one["label"]: one["probability"] for one in answer["candidates"]}
    best = sorted(by_label.values(), reverse=True)[:2]
    if len(best) == 2 and best[0] - best[1] < TIE:
        return {"candidates": by_label, "neighbours": answer["neighbours"]}
    return {**answer, "candidates": by_label}


def _without_version(answers: list[Any]) -> list[Any]:
    decided, near, _ = answers
    return [[{**one, "index_version": 0} for one in decided], near]


def assert_same(one: Any, other: Any, place: tuple[Any, ...]) -> None:
    """Compare answers, their numbers up to rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), place
        for name in one:
            assert_same(one[name], other[name], (*place, name))
    elif isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        assert len(one) == len(other), (place, one, other)
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, (*place, number))
    elif isinstance(one, float) and isinstance(other, float):
        assert abs(one - other) <= 1e-5 * max(1.0, abs(other)), (place, one, other)
    else:
        assert one == other, (place, one, other)
