"""Several labels a picture against three baselines: mosaics of sports, and clothes, as JSON lines.

python -m benchmarks.labels [--part mosaics,precision,tiles,apparel,combinations] [--encoder SPEC]
    [--cache DIR] [--tuning]

`mosaics`       pictures of ../shared/data/sports20/query joined one to four on a canvas; supports are single
                pictures (partial sets), mosaics with all labels (complete), or with one of them (partial)
`precision`     the precision reached where 0.9 was asked for
`tiles`         the views `tiles` (a picture and five overlapping crops of it) against the picture alone
`apparel`       colour and garment of ../shared/data/apparel: 3 examples a folder, all other pictures asked
`combinations`  one folder left out of the supports, both of its labels known from others: are both found?

Baselines: the cosine to the mean of a label's supports, the vote of the nearest supports, and one-vs-rest
logistic regression of scikit-learn. For mosaics, their settings and the one threshold for all labels are the
best (micro F1) on mosaics of ../shared/data/sports80-128px.zip with as many supports; for clothes, the best
on the supports, each left out. `micro_f1_best` is with the threshold that is best for the queries themselves.
`--tuning` measures on mosaics of other sports instead: choose by those alone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import DEFAULT, emit
from benchmarks.labels_baselines import FAMILIES, Baseline, Scores, best_threshold
from benchmarks.labels_vectors import DATA, Bank
from cli.label_trial import Labelled, draw_labels, enrolled_labels, judge, rows_by_label
from cli.pictures import Picture, find_pictures
from core.collections import Aim, Rule
from encoders.threads import use_threads
from index.label_metrics import Judged, Truth, numbers

KINDS = {"single": "singles", "complete": "mosaics", "partial": "mosaics_partial"}
SHOTS = (1, 5)
DRAWS = 5
APPAREL_SHOTS = 3
AVERAGED = ("map", "micro_f1", "macro_f1", "subset_accuracy", "ece", "micro_precision", "micro_recall")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--part", default=",".join(PARTS))
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--cache", type=Path, help="keeps pictures and vectors; default a temporary folder")
    parser.add_argument("--tuning", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    if not (DATA / "apparel").is_dir():
        raise SystemExit("../shared/data is not here; nothing was measured")
    use_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        cache = given.cache or Path(folder)
        cache.mkdir(parents=True, exist_ok=True)
        bank = Bank(given.encoder, cache)
        for part in given.part.split(","):
            PARTS[part](bank, "sports80 second" if given.tuning else "sports20")


def mosaics(bank: Bank, source: str) -> None:
    """mAP, F1 and calibration of the rule and of the baselines on mosaics."""
    queries = bank.labelled(source, "queries", complete=True)
    for kind in KINDS:
        supports = bank.labelled(source, KINDS[kind], complete=False)
        for shots in SHOTS:
            about = {"source": source, "encoder": bank.spec, "supports": kind, "shots": shots}
            emit("labels_mosaics", **about, method="exemplar", **of_rule(Rule(), shots, supports, queries))
            for family in FAMILIES:
                setting, baseline, threshold = tuned(bank, family, kind, shots)
                figures = of_baseline(baseline, threshold, shots, supports, queries)
                emit("labels_mosaics", **about, method=f"{family} {setting}".strip(), **figures)


def precision(bank: Bank, source: str) -> None:
    """The precision and recall reached where a precision of 0.9 was asked for."""
    queries = bank.labelled(source, "queries", complete=True)
    for kind in KINDS:
        supports = bank.labelled(source, KINDS[kind], complete=False)
        for shots in SHOTS:
            rule = Rule(aim=Aim.PRECISION, precision=0.9)
            figures = of_rule(rule, shots, supports, queries)
            about = {"source": source, "encoder": bank.spec, "supports": kind, "shots": shots, "asked": 0.9}
            emit("labels_precision", **about, **{name: figures[name] for name in AVERAGED[-2:]})


def tiles(bank: Bank, source: str) -> None:
    """The views `tiles` of the product against the picture alone, on mosaics and on clothes."""
    queries = bank.tiles(source, "queries")
    for kind in KINDS:
        supports = bank.labelled(source, KINDS[kind], complete=False)
        for shots in SHOTS:
            about = {"source": source, "encoder": bank.spec, "supports": kind, "shots": shots}
            for views, asked in in_views(queries).items():
                emit("labels_tiles", **about, views=views, **of_rule(Rule(), shots, supports, asked))
    pictures = find_pictures(DATA / "apparel")
    every = clothes(bank, pictures)
    every = replace(every, crops=bank.with_crops([picture.path for picture in pictures], "apparel")[1])
    folders = np.array([picture.label for picture in pictures])
    found: dict[str, list[dict[str, Any]]] = {}
    for draw in range(4):
        rows = drawn(folders, draw)
        others = every.take(np.setdiff1d(np.arange(len(folders)), rows))
        for views, asked in in_views(others).items():
            some = every.take(rows)
            truth = asked.truth(some.names)
            judged, _ = judge(enrolled_labels(some, some.names), Rule(), asked, truth, some.names)
            best = {"micro_f1_best": best_threshold(truth, judged.probabilities)[0]}
            found.setdefault(views, []).append(numbers(judged, some.names) | best)
    for views, figures in found.items():
        emit("labels_tiles", source="apparel", encoder=bank.spec, views=views, **averaged(figures))


def in_views(queries: Labelled) -> dict[str, Labelled]:
    return {"1": replace(queries, crops=None), "tiles": queries}


def apparel(bank: Bank, _: str) -> None:
    """Clothes: three examples a folder, all other pictures asked; four draws."""
    pictures = find_pictures(DATA / "apparel")
    every = clothes(bank, pictures)
    folders = np.array([picture.label for picture in pictures])
    methods: dict[str, list[dict[str, Any]]] = {}
    for draw in range(4):
        rows = drawn(folders, draw)
        others = every.take(np.setdiff1d(np.arange(len(folders)), rows))
        for name, figures in on_clothes(every.take(rows), others):
            methods.setdefault(name, []).append(figures)
    for name, found in methods.items():
        emit("labels_apparel", encoder=bank.spec, method=name, draws=len(found), **averaged(found))


def combinations(bank: Bank, _: str) -> None:
    """A pair of known labels that no support shows together: every folder that allows it, four draws."""
    pictures = find_pictures(DATA / "apparel")
    every = clothes(bank, pictures)
    folders = np.array([picture.label for picture in pictures])
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for folder in np.unique(folders):
        rest = {label for one in np.unique(folders) if one != folder for label in one.split("_")}
        if not set(folder.split("_")) <= rest:
            continue
        for draw in range(4):
            rows = drawn(folders, draw)
            supports = every.take(rows[folders[rows] != folder])
            queries = every.take(np.flatnonzero(folders == folder))
            for name, judged in judged_clothes(supports, queries):
                right = (judged.given & (judged.truth == 1)).sum(axis=1)
                wrong = (judged.given & (judged.truth == 0)).sum(axis=1)
                found.setdefault(name, {}).setdefault(folder, []).append(np.stack([right, wrong]))
    for name, by_folder in found.items():
        every_one = np.concatenate([np.concatenate(parts, axis=1) for parts in by_folder.values()], axis=1)
        both = {
            folder: float((np.concatenate(parts, axis=1)[0] == 2).mean())
            for folder, parts in by_folder.items()
        }
        emit(
            "labels_combinations",
            encoder=bank.spec,
            method=name,
            both_found=round(float((every_one[0] == 2).mean()), 4),
            exact=round(float(((every_one[0] == 2) & (every_one[1] == 0)).mean()), 4),
            wrong_a_picture=round(float(every_one[1].mean()), 4),
            both_found_by_folder={folder: round(share, 4) for folder, share in both.items()},
        )


PARTS: dict[str, Callable[[Bank, str], None]] = {
    one.__name__: one for one in (mosaics, precision, tiles, apparel, combinations)
}


def of_rule(rule: Rule, shots: int, supports: Labelled, queries: Labelled) -> dict[str, Any]:
    found = []
    for some, names, truth in draws_of(shots, supports, queries):
        judged, _ = judge(enrolled_labels(some, names), rule, queries, truth, names)
        found.append(
            numbers(judged, names) | {"micro_f1_best": best_threshold(truth, judged.probabilities)[0]}
        )
    return averaged(found)


def of_baseline(
    baseline: Baseline, threshold: float, shots: int, supports: Labelled, queries: Labelled
) -> dict[str, Any]:
    found = []
    for some, names, truth in draws_of(shots, supports, queries):
        scores = baseline(some, names, queries.vectors)
        found.append(figures_of(truth, scores, threshold, names))
    return averaged(found)


def figures_of(truth: Truth, scores: Scores, threshold: float, names: list[str]) -> dict[str, Any]:
    figures = numbers(Judged(truth, np.clip(scores, 0, 1), scores >= threshold), names)
    return figures | {"ece": None, "micro_f1_best": best_threshold(truth, scores)[0]}


def draws_of(shots: int, supports: Labelled, queries: Labelled) -> Any:
    names = supports.names
    rows = rows_by_label(supports)
    for number in range(1 if all(len(own) <= shots for own in rows.values()) else DRAWS):
        yield supports.take(draw_labels(rows, shots, number)), names, queries.truth(names)


def tuned(bank: Bank, family: str, kind: str, shots: int) -> tuple[str, Baseline, float]:
    """Return the setting and threshold of a baseline with the best micro F1 on mosaics of other sports."""
    queries = bank.labelled("sports80", "queries", complete=True)
    supports = bank.labelled("sports80", KINDS[kind], complete=False)
    best: tuple[float, str, Baseline, float] | None = None
    for setting, baseline in FAMILIES[family]:
        scored = [
            (truth, baseline(some, names, queries.vectors))
            for some, names, truth in draws_of(shots, supports, queries)
        ]
        truths, scores = (np.concatenate(parts) for parts in zip(*scored, strict=True))
        f1, threshold = best_threshold(truths, scores)
        if best is None or f1 > best[0]:
            best = (f1, setting, baseline, threshold)
    assert best is not None
    return best[1:]


def clothes(bank: Bank, pictures: Sequence[Picture]) -> Labelled:
    vectors = bank.vectors([picture.path for picture in pictures], "apparel")
    labels = [tuple(sorted(picture.label.split("_"))) for picture in pictures]
    return Labelled(labels, [True] * len(labels), vectors)


def drawn(folders: np.ndarray, draw: int) -> np.ndarray:
    rows = []
    for folder in np.unique(folders):
        own = np.flatnonzero(folders == folder)
        rows += [own[(draw * APPAREL_SHOTS + step) % len(own)] for step in range(APPAREL_SHOTS)]
    return np.array(rows)


def on_clothes(supports: Labelled, queries: Labelled) -> list[tuple[str, dict[str, Any]]]:
    names = supports.names
    found = []
    for name, judged in judged_clothes(supports, queries):
        figures = numbers(judged, names)
        best = best_threshold(judged.truth, judged.probabilities)[0]
        unknown = {} if name.startswith("exemplar") else {"ece": None}
        found.append((name, figures | unknown | {"micro_f1_best": best}))
    return found


def judged_clothes(supports: Labelled, queries: Labelled) -> list[tuple[str, Judged]]:
    names = supports.names
    truth = queries.truth(names)
    found = []
    for kind, complete in (("complete", True), ("partial", False)):
        some = replace(supports, complete=[complete] * len(supports.labels))
        judged, _ = judge(enrolled_labels(some, names), Rule(), queries, truth, names)
        found.append((f"exemplar {kind}", judged))
    own = replace(supports, complete=[True] * len(supports.labels)).truth(names)
    for family, settings in FAMILIES.items():
        tried = []
        for setting, baseline in settings:
            left_out = np.concatenate(
                [
                    baseline(
                        supports.take(np.delete(np.arange(len(own)), row)), names, supports.vectors[row][None]
                    )
                    for row in range(len(own))
                ]
            )
            tried.append((*best_threshold(own, left_out), setting, baseline))
        _, threshold, setting, baseline = max(tried, key=lambda one: one[0])
        scores = baseline(supports, names, queries.vectors)
        found.append((f"{family}", Judged(truth, np.clip(scores, 0, 1), scores >= threshold)))
    return found


def averaged(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = (*AVERAGED, "micro_f1_best")
    return {
        name: None if found[0][name] is None else round(float(np.mean([one[name] for one in found])), 4)
        for name in names
    }


if __name__ == "__main__":
    main()
