"""Recognition on 20 sports and on handwritten digits, by every rule and view setting, as JSON lines.

python -m benchmarks.recognition [--part accuracy,report,...] [--encoder NAME ...] [--views 1,flip,full]
    [--view full] [--cache DIR] [--limit N]

Encoders: efficientnet_lite2, efficientnet_lite0, deit_tiny (by `timm:`), mobilenet_v2 (its file has
torchvision's names, so it is opened by the benchmark itself), several with + between them side by side as
`concat:` puts them, or any spec. The four were trained on ImageNet, whose labels include at least five of the
sports: balance beam, baseball, basketball, billiards and bobsled. Every encoder embeds each picture once per
view setting. `accuracy` and `cost` are measured for each of `--views`,
the other parts for `--view`. Of so few supports the default, `auto`, is `kernel`.

All but `digits`, which takes scikit-learn's, reads ../shared/data/sports20 and says so where it is not there.
This is the test set: choose nothing by it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import DEFAULT, LITE0, emit
from benchmarks.recognition_vectors import DRAWN_FROM, FOLDER, Bank, embed_all
from cli.evaluate import hold_out
from cli.trial import Plan, try_out
from core.collections import Metric, Rule, RuleName, Views
from core.pictures import decode_picture
from core.settings import read_settings
from encoders.threads import use_threads

IN_IMAGENET = ("balance beam", "baseball", "basketball", "billiards", "bobsled")  # labels of ImageNet-1k too
COSTED = 128  # pictures that the cost is measured on
ENCODERS = (DEFAULT, LITE0, "deit_tiny", "mobilenet_v2", f"{DEFAULT}+deit_tiny")
RULES = [Rule(name) for name in RuleName if name is not RuleName.AUTO] + [
    Rule(RuleName.PROTOTYPE, Metric.MSE)
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--part", default=",".join(PARTS))
    parser.add_argument("--encoder", nargs="+", default=ENCODERS)
    parser.add_argument("--views", default="1,flip,full")
    parser.add_argument("--view", default="1", help="of the parts other than accuracy and cost")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--limit", type=int, help="queries of each class, to try the benchmark itself")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    if not FOLDER.is_dir() and given.part != "digits":
        raise SystemExit("../shared/data/sports20 is not here; nothing was measured")
    use_threads(given.threads)
    bank = Bank(given.limit, given.device, given.cache)
    for part in given.part.split(","):
        views = given.views.split(",") if part in ("accuracy", "cost") else [given.view]
        for name in given.encoder:
            for one in views:
                PARTS[part](bank, name, Views(one))


def accuracy(bank: Bank, name: str, views: Views) -> None:
    """Each rule at 1 support, mean of five draws, and at 5."""
    for rule in RULES:
        for shots in (1, 5):
            figures = tried(bank, name, views, Plan(rule, shots))
            shown(bank, "accuracy", name, views, rule, figures)


def other_sports(bank: Bank, name: str, views: Views) -> None:
    """The default on queries of the 15 sports that ImageNet does not name, among all 20."""
    queries = bank.embedded(name, views, "query")
    rows = [row for row, label in enumerate(queries.labels) if label not in IN_IMAGENET]
    for shots in (1, 5):
        plan = Plan(Rule(), shots)
        figures, _ = try_out(plan, bank.embedded(name, views, "support"), queries.take(np.array(rows)))
        shown(bank, "other_sports", name, views, Rule(), figures)


def report(bank: Bank, name: str, views: Views) -> None:
    """The whole classification report of the default."""
    for shots in (1, 5):
        figures = tried(bank, name, views, Plan(Rule(), shots))
        shown(bank, "report", name, views, Rule(), figures, "report", "decisions")


def uneven(bank: Bank, name: str, views: Views) -> None:
    """Half of the classes with 5 supports, half with 1."""
    for rule in RULES:
        figures = tried(bank, name, views, Plan(rule, 5, uneven=1))
        shown(bank, "uneven", name, views, rule, figures, "uneven")


def unknown(bank: Bank, name: str, views: Views) -> None:
    """Ten classes enrolled: the other ten are strangers; to the default so are digits and noise."""
    supports, queries, near = hold_out(
        bank.embedded(name, views, "support"), bank.embedded(name, views, "query"), 10
    )
    strangers = {"near": near} | {what: bank.embedded(name, views, what) for what in ("digits", "noise")}
    for rule in RULES:
        for shots in (1, 2, 5):
            for what, strange in strangers.items():
                if what != "near" and rule.name is not RuleName.KERNEL:
                    continue
                figures, _ = try_out(Plan(rule, shots), supports, queries, strange)
                more = ("unknown", "accepted_at_target")
                shown(bank, "unknown", name, views, rule, {**figures, "what": what}, "what", *more)


def calibration(bank: Bank, name: str, views: Views) -> None:
    """Calibration error, and what the 90 % sets hold."""
    for rule in RULES:
        for shots in (1, 2, 5):
            figures = tried(bank, name, views, Plan(rule, shots))
            shown(bank, "calibration", name, views, rule, figures, "sets")


def smoothing(bank: Bank, name: str, views: Views) -> None:
    """The default with smoothing off and on."""
    for shots in (1, 2, 5):
        for smooth in (False, True):
            figures = tried(bank, name, views, Plan(Rule(), shots, smooth=smooth))
            shown(bank, "smoothing", name, views, Rule(), figures, "smoothed")


def digits(bank: Bank, name: str, views: Views) -> None:
    """Handwritten digits by the default at 1 and 5 examples of each, in five draws."""
    named = bank.embedded(name, views, "named")
    rows_of = [np.flatnonzero(np.array(named.labels) == label) for label in named.classes]
    supports, queries = (
        named.take(np.concatenate([rows[part] for rows in rows_of]))
        for part in (slice(DRAWN_FROM), slice(DRAWN_FROM, None))
    )
    for shots in (1, 5):
        shown(bank, "digits", name, views, Rule(), try_out(Plan(Rule(), shots), supports, queries)[0])


def cost(bank: Bank, name: str, views: Views) -> None:
    """Milliseconds a picture, and how near the vectors are to those that the other parts use."""
    encoder = bank.encoder(name)
    chosen = bank.pictures("query")[:: max(len(bank.pictures("query")) // COSTED, 1)][:COSTED]
    encoded = [picture.path.read_bytes() for picture in chosen]
    max_pixels = read_settings().max_pixels
    begun = time.perf_counter()
    decoded = [decode_picture(one, max_pixels=max_pixels) for one in encoded]
    decode_s = time.perf_counter() - begun
    embed_all(encoder, decoded[: encoder.batch_size], views)
    begun = time.perf_counter()
    vectors = embed_all(encoder, decoded, views)
    embed_s = time.perf_counter() - begun
    rows = {str(picture.path): row for row, picture in enumerate(bank.pictures("query"))}
    others = bank.embedded(name, views, "query").vectors[[rows[str(picture.path)] for picture in chosen]]
    emit(
        "recognition_cost",
        encoder=name,
        views=views.value,
        dim=encoder.dim,
        decode_ms=round(decode_s * 1000 / len(chosen), 2),
        embed_ms=round(embed_s * 1000 / len(chosen), 2),
        lowest_cosine=round(float((vectors * others).sum(axis=1).min()), 6),
    )


PARTS: dict[str, Callable[[Bank, str, Views], None]] = {
    one.__name__: one
    for one in (cost, accuracy, other_sports, report, uneven, unknown, calibration, smoothing, digits)
}


def tried(bank: Bank, name: str, views: Views, plan: Plan) -> dict[str, Any]:
    return try_out(plan, bank.embedded(name, views, "support"), bank.embedded(name, views, "query"))[0]


def shown(
    bank: Bank, part: str, name: str, views: Views, rule: Rule, figures: dict[str, Any], *more: str
) -> None:
    always = ("shots", "draws", "accuracy_mean", "accuracy_std", "accuracy", "ece", "rule_used")
    limited = {} if bank.limit is None else {"limit": bank.limit}
    emit(
        f"recognition_{part}",
        encoder=name,
        views=views.value,
        rule=f"{rule.name.value}/{rule.metric.value}",
        **limited,
        **{key: rounded(figures[key]) for key in (*always, *more)},
    )


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
