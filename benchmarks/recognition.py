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
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import DEFAULT, LITE0, SHARED, emit, load_digits_once
from benchmarks.other_encoders import deit_tower, mobilenet_tower
from benchmarks.sklearn_pictures import read_digits
from cli.evaluate import hold_out
from cli.folders import Embedded, embed_pictures
from cli.pictures import Picture, find_pictures
from cli.trial import Plan, try_out
from core.collections import Metric, Rule, RuleName, Views
from core.pictures import decode_picture
from core.settings import read_settings
from core.vectors import Vectors
from encoders import Encoder, open_encoder
from encoders.choice import run_chosen
from encoders.device import choose_device
from encoders.efficientnet_lite import load_efficientnet_lite
from encoders.threads import use_threads
from encoders.tower import Tower

FOLDER = SHARED / "data" / "sports20"
DRAWN_FROM = 25  # of each digit; the others are asked about
IN_IMAGENET = ("balance beam", "baseball", "basketball", "billiards", "bobsled")  # labels of ImageNet-1k too
FAR = 300  # digits, and pictures of noise
COSTED = 128  # pictures that the cost is measured on
TOWERS: dict[str, Callable[[], Tower]] = {
    DEFAULT: partial(load_efficientnet_lite, DEFAULT),
    LITE0: partial(load_efficientnet_lite, LITE0),
    "deit_tiny": deit_tower,
    "mobilenet_v2": mobilenet_tower,
}
ENCODERS = (DEFAULT, LITE0, "deit_tiny", "mobilenet_v2", f"{DEFAULT}+deit_tiny")
RULES = [Rule(name) for name in RuleName if name is not RuleName.AUTO] + [
    Rule(RuleName.PROTOTYPE, Metric.MSE)
]


@dataclass
class Bank:
    """Vectors, each embedded once and kept; in a folder too, where one is given."""

    limit: int | None
    device: str
    cache: Path | None
    opened: dict[str, Encoder] = field(default_factory=dict)
    kept: dict[tuple[str, Views, str], Embedded] = field(default_factory=dict)

    def encoder(self, name: str) -> Encoder:
        if name not in self.opened:
            self.opened[name] = open_named(name, self.device)
        return self.opened[name]

    def embedded(self, name: str, views: Views, what: str) -> Embedded:
        """Return vectors of `support`, `query`, `noise`, some `digits`, or all digits as they are `named`."""
        key = (name, views, what)
        if key not in self.kept:
            self.kept[key] = self._side_by_side(*key) if is_combined(name) else self._cached(*key)
        return self.kept[key]

    def pictures(self, what: str) -> list[Picture]:
        pictures = find_pictures(FOLDER / what)
        seen: Counter[str] = Counter()
        kept = []
        for picture in pictures:
            seen[picture.label] += 1
            if what == "support" or self.limit is None or seen[picture.label] <= self.limit:
                kept.append(picture)
        return kept

    def _side_by_side(self, name: str, views: Views, what: str) -> Embedded:
        parts = [self.embedded(part, views, what) for part in name.split("+")]
        vectors = np.concatenate([part.vectors for part in parts], axis=1) / np.float32(np.sqrt(len(parts)))
        return Embedded(parts[0].labels, vectors)

    def _cached(self, name: str, views: Views, what: str) -> Embedded:
        if self.cache is None:
            return self._embed(name, views, what)
        file = self.cache / f"{self._key(name, views, what)}.npz"
        if not file.is_file():
            embedded = self._embed(name, views, what)
            self.cache.mkdir(parents=True, exist_ok=True)
            np.savez(file, labels=np.array(embedded.labels), vectors=embedded.vectors)
        with np.load(file) as kept:
            return Embedded(kept["labels"].tolist(), kept["vectors"])

    def _embed(self, name: str, views: Views, what: str) -> Embedded:
        encoder = self.encoder(name)
        if what in ("support", "query"):
            return embed_pictures(encoder, self.pictures(what), views, title=f"{name} {views} {what}")
        if what == "named":
            names = read_digits()[1]
            some = None if self.limit is None else DRAWN_FROM + self.limit
            rows = np.concatenate([np.flatnonzero(names == name)[:some] for name in range(10)])
            drawn = drawn_digits()
            vectors = embed_all(encoder, [drawn[row] for row in rows], views)
            return Embedded([str(names[row]) for row in rows], vectors)
        drawn = drawn_digits()[:FAR] if what == "digits" else noise()
        return Embedded([what] * len(drawn), embed_all(encoder, drawn, views))

    def _key(self, name: str, views: Views, what: str) -> str:
        """Name a set of vectors so that other weights of the same name are not mistaken for these."""
        weights = embed_all(self.encoder(name), noise()[:1], views).round(4).tobytes()
        text = f"{name} {views} {what} {self.limit}".encode() + weights
        return hashlib.sha256(text).hexdigest()[:24]


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


def is_combined(name: str) -> bool:
    return "+" in name and set(name.split("+")) <= set(TOWERS)


def open_named(name: str, device: str) -> Encoder:
    if set(name.split("+")) <= set(TOWERS):
        towers = [TOWERS[part]() for part in name.split("+")]
        chosen = choose_device(device)
        return Encoder(
            name, [run_chosen(tower, chosen, precision="auto", runtime="auto") for tower in towers]
        )
    return open_encoder(name, device=device)


def embed_all(encoder: Encoder, pictures: Sequence[Image.Image], views: Views) -> Vectors:
    step = encoder.batch_size
    return np.concatenate(
        [
            encoder.embed([encoder.prepare(picture, views) for picture in pictures[at : at + step]])
            for at in range(0, len(pictures), step)
        ]
    )


def drawn_digits() -> list[Image.Image]:
    return [
        Image.fromarray((255 - digit * 255 / 16).astype(np.uint8)).convert("RGB")
        for digit in load_digits_once()
    ]


def noise() -> list[Image.Image]:
    drawn = np.random.default_rng(0).integers(0, 256, (FAR, 224, 224, 3), dtype=np.uint8)
    return [Image.fromarray(one) for one in drawn]


if __name__ == "__main__":
    main()
