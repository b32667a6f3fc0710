"""The classification report of a collection, laid out as scikit-learn does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.cells import cell_len, set_cell_size

from cli.client import Json
from cli.external_ids import Ids

HEADINGS = ("precision", "recall", "f1-score", "support")
MARKS = {"fair": "", "rough": " ~", "not_assessable": " ?"}
LABEL_CELLS = 48
COLUMNS = 100
LINES_MOST = 10  # per list
ID_CELLS = 30


def numbers_text(report: Mapping[str, Any], most: int) -> str:
    """Return the table of a report's JSON; of more than `most` classes, the weakest.

    `~` marks classes with few supports, `?` those that could not be judged.
    """
    classes = report["classes"]
    if len(classes) > most:
        weak = sorted(classes, key=lambda line: (line["f1"] is None, line["f1"] or 0.0))[:most]
        classes = sorted(weak, key=lambda line: line["label"])
    averages = {name: report[name.replace(" ", "_")] for name in ("macro avg", "weighted avg")}
    width = max([cell_len(fit(line["label"], LABEL_CELLS)) for line in classes] + [len("weighted avg")])
    lines = [" " * width + " " + "".join(f" {name:>9}" for name in HEADINGS), ""]
    for line in classes:
        lines.append(_line(line["label"], line, width) + MARKS[line["judgement"]])
    if report["accuracy"] is not None:
        figure = f"{report['accuracy']:.3f}"
        lines += ["", f"{'accuracy':>{width}} {'':>10}{'':>10} {figure:>9} {report['judged']:>9}"]
        lines += [_line(name, average, width) for name, average in averages.items()]
    return "\n".join(lines) + "\n"


def _line(name: str, row: Mapping[str, Any], width: int) -> str:
    name = fit(name, LABEL_CELLS)
    metrics = (row[key] for key in ("precision", "recall", "f1"))
    shown = "".join(f" {'-' if metric is None else f'{metric:.3f}':>9}" for metric in metrics)
    return f"{' ' * (width - cell_len(name))}{name} {shown} {row['judged']:>9}"


def fit(text: str, cells: int) -> str:
    """Shorten a text to at most so many columns of a terminal."""
    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1) + "…"


def rule_text(report: Mapping[str, Any]) -> str:
    """Return the rule of a report, and the one that was used if that says more."""
    rule, used = report["rule"], report["rule_used"]
    return rule if rule == used else f"{rule}: {used}"


def listed_lines(title: str, listed: Json, line: Callable[[Json], str]) -> Iterator[str]:
    """Yield a title and the first entries of a list, nothing if it is empty."""
    if listed["total"] == 0:
        return
    yield f"\n{title} ({listed['total']})"
    shown = listed["items"][:LINES_MOST]
    yield from (fit(f"  {line(item)}", COLUMNS) for item in shown)
    if listed["total"] > len(shown):
        yield f"  ... and {listed['total'] - len(shown)} more (--json shows more)"


def support_text(ids: Ids, support_id: int, label: str = "") -> str:
    """Return a support as its number, its label, and the end of its external id: paths differ there."""
    named = f"#{support_id} {label}".rstrip()
    name = ids.get(support_id, "")
    while cell_len(name) > ID_CELLS:
        name = "…" + name[2:]
    return f"{named} ({name})" if name else named
