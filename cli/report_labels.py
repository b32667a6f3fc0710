"""The text of a report on several labels a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from functools import partial

from rich.cells import cell_len, set_cell_size

from cli.client import Json
from cli.external_ids import Ids
from cli.report_table import COLUMNS, LABEL_CELLS, MARKS, fit, listed_lines, rule_text, support_text

LABELS_MOST = 100
NUMBERS = (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score"), ("average_precision", "AP"))


def label_lines(collection: str, report: Json, ids: Ids) -> Iterator[str]:
    """Yield the lines of a report; `ids` are the external ids of the supports that it names."""
    aim = f"precision {report['precision']:g}" if report["aim"] == "precision" else "best F1"
    said = (
        f"{collection}, version {report['version']}: {report['supports']} pictures, {report['complete']} of "
        f"them with complete labels, {len(report['labels'])} labels, rule "
        f"{rule_text(report)}, aim {aim}. Each picture is judged by the others."
    )
    for text in (said, *(f"Note: {note}" for note in report["notes"])):
        yield textwrap.fill(text, COLUMNS)
    if report["average"] is None:
        return
    yield ""
    shown = report["labels"]
    if len(shown) > LABELS_MOST:
        yield f"The {LABELS_MOST} weakest of {len(shown)} labels:\n"
        shown = sorted(shown, key=lambda line: (line["f1"] is None, line["f1"]))[:LABELS_MOST]
    width = max(len("micro"), *(cell_len(fit(line["label"], LABEL_CELLS)) for line in shown))
    yield " " * width + "".join(f"{heading:>11}" for _, heading in NUMBERS) + "   pictures"
    for line in shown:
        cells = "".join(_number(line[name]) for name, _ in NUMBERS)
        mark = MARKS[line["judgement"]]
        label = set_cell_size(fit(line["label"], LABEL_CELLS), width)
        yield f"{label}{cells}{line['supports']:>11}{mark}"
    average = report["average"]
    micro = (average["micro_precision"], average["micro_recall"], average["micro_f1"], None)
    yield f"{'micro':<{width}}" + "".join(map(_number, micro))
    yield f"{'macro':<{width}}" + "".join(map(_number, (None, None, average["macro_f1"], average["map"])))
    yield f"\nCalibration error of the probabilities: {average['ece']:.3f}"
    suspects, together = report["suspects"], report["together"]
    yield from listed_lines(
        "Possibly missing or wrong labels, surest first", suspects, partial(_suspect, ids)
    )
    yield from listed_lines("Often together", together, _pair)


def _suspect(ids: Ids, one: Json) -> str:
    said = "may lack" if one["problem"] == "missing" else "may wrongly have"
    support = support_text(ids, one["support_id"])
    return f"{support} {said} {one['label']} ({one['probability']:.0%} by the others)"


def _pair(pair: Json) -> str:
    first, second = pair["labels"]
    shares = " and ".join(f"{share:.0%}" for share in pair["shares"])
    return f"{first} and {second}: {pair['supports']} pictures ({shares} of each)"


def _number(value: float | None) -> str:
    return f"{'' if value is None else format(value, '.3f'):>11}"
