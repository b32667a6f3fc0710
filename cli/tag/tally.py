"""Counts of what `exemplar tag` has written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cli.client import Json
from cli.tag.actions import Tagged
from cli.tag.rows import Row
from core.results import labels_of


@dataclass(slots=True)
class Tally:
    """Counts over the rows written so far, including earlier runs."""

    done: int = 0
    failed: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    examples: Json = field(default_factory=dict)
    """The first failure of each error code: its path and what was wrong."""

    @classmethod
    def of(cls, noted: Json | None) -> Tally:
        """Return the tally that `as_json` gave."""
        noted = noted or {}
        names = ("labels", "decisions", "errors", "actions")
        counters: dict[str, Counter[str]] = {name: Counter(noted.get(name, {})) for name in names}
        found = cls(noted.get("done", 0), noted.get("failed", 0), **counters)
        found.examples.update(noted.get("examples", {}))
        return found

    def add(self, tagged: Sequence[Tagged]) -> None:
        """Count rows."""
        for _, row in tagged:
            self.count(row)

    def count(self, row: Row) -> None:
        """Count one row."""
        if row["status"] == "failed":
            self.failed += 1
            self.errors[row["error_code"]] += 1
            self.examples.setdefault(row["error_code"], {"path": row["path"], "detail": row["error_detail"]})
            return
        self.done += 1
        self.decisions[row["decision"]] += 1
        self.labels.update(labels_of(row))

    def as_json(self) -> Json:
        """Return it as JSON, greatest counts first."""
        return {
            "done": self.done,
            "failed": self.failed,
            "labels": dict(self.labels.most_common()),
            "decisions": dict(self.decisions.most_common()),
            "errors": dict(self.errors.most_common()),
            "actions": dict(self.actions.most_common()),
            "examples": self.examples,
        }
