"""The text of a report on several labels a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from cli.client import Json
from cli.external_ids import Ids
from cli.report_table import LABEL_CELLS, MARKS, fit

COLUMNS = 100
LINES_MOST = 10  # per list
LABELS_MOST = 100
NUMBERS = (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score"), ("average_precision", "AP"))


def label_lines(collection: str, report: Json, ids: Ids) -> Iterator[str]:
    """Yield the lines of a report; `ids` are the external ids of the supports that it names."""
    rule, used = report["rule"], report["rule_used"]
    aim = f"precision {report['precision']:g}" if report["aim"] == "precision" else "best F1"
    said = (
        f"{collection}, version {report['version']}: {report['supports']} pictures, {report['complete']} of "
        f"them with complete labels, {len(report['labels'])} labels, rule "
        f"{rule if rule == used else f'{rule}: {used}'}, aim {aim}. Each picture is judged by the others."
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
    width = max(len(fit(line["label"], LABEL_CELLS)) for line in shown)
    yield " " * width + "".join(f"{heading:>11}" for _, heading in NUMBERS) + "   pictures"
    for line in shown:
        cells = "".join(_number(line[name]) for name, _ in NUMBERS)
        mark = MARKS[line["judgement"]]
        yield f"{fit(line['label'], LABEL_CELLS):<{width}}{cells}{line['supports']:>11}{mark}"
    average = report["average"]
    micro = (average["micro_precision"], average["micro_recall"], average["micro_f1"], None)
    yield f"{'micro':<{width}}" + "".join(map(_number, micro))
    yield f"{'macro':<{width}}" + "".join(map(_number, (None, None, average["macro_f1"], average["map"])))
    yield f"\nCalibration error of the probabilities: {average['ece']:.3f}"
    yield from _list("Possibly missing or wrong labels, surest first", report["suspects"], ids)
    pairs = report["together"]
    if pairs["total"]:
        yield f"\nOften together ({pairs['total']})"
        for pair in pairs["items"][:LINES_MOST]:
            first, second = pair["labels"]
            shares = " and ".join(f"{share:.0%}" for share in pair["shares"])
            yield fit(f"  {first} and {second}: {pair['supports']} pictures ({shares} of each)", COLUMNS)


def _number(value: float | None) -> str:
    return f"{'' if value is None else format(value, '.3f'):>11}"


def _list(title: str, listed: Json, ids: Ids) -> Iterator[str]:
    if listed["total"] == 0:
        return
    yield f"\n{title} ({listed['total']})"
    for one in listed["items"][:LINES_MOST]:
        name = ids.get(one["support_id"])
        support = f"#{one['support_id']}" + (f" ({name})" if name else "")
        said = "may lack" if one["problem"] == "missing" else "may wrongly have"
        yield fit(f"  {support} {said} {one['label']} ({one['probability']:.0%} by the others)", COLUMNS)
    if listed["total"] > LINES_MOST:
        yield f"  ... and {listed['total'] - LINES_MOST} more (--json shows more)"
