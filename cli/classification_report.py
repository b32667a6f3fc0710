"""The classification report, as scikit-learn prints it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from cli.report_table import LABEL_CELLS, fit


def report_text(truth: Sequence[str], named: Sequence[str]) -> str:
    """Return precision, recall, F1 and support of each class, their averages and the accuracy, as a table."""
    return cast(str, _report(truth, named, as_dict=False))


def report_numbers(truth: Sequence[str], named: Sequence[str]) -> dict[str, Any]:
    """Return precision, recall, F1 and support by class name, and the macro and weighted averages."""
    numbers = _report(truth, named, as_dict=True)
    return {
        name: {"f1" if key == "f1-score" else key: value for key, value in row.items()}
        for name, row in numbers.items()
        if isinstance(row, dict)  # the accuracy is a bare number, which the caller has already
    }


def accuracy(truth: Sequence[str], named: Sequence[str]) -> float:
    """Return the share of correct predictions."""
    return sum(a == b for a, b in zip(truth, named, strict=True)) / len(truth)


def _report(truth: Sequence[str], named: Sequence[str], *, as_dict: bool) -> Any:
    from sklearn.metrics import classification_report  # noqa: PLC0415 - 2 s that a refusal need not pay

    labels = sorted({*truth, *named})
    return classification_report(
        truth,
        named,
        labels=labels,
        target_names=labels if as_dict else [fit(label, LABEL_CELLS) for label in labels],
        digits=3,
        zero_division=0,  # a class that was never predicted has no precision; report 0
        output_dict=as_dict,
    )
