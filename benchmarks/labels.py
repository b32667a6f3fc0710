"""Several labels a picture against three baselines: mosaics of sports, and clothes, as JSON lines.

python -m benchmarks.labels [--part mosaics,precision,apparel,combinations] [--encoder SPEC] [--cache DIR]
    [--tuning]

`mosaics`       pictures of ../shared/data/sports20/query joined one to four on a canvas; supports are single
                pictures (partial sets), mosaics with all labels (complete), or with one of them (partial)
`precision`     the precision reached where 0.9 was asked for
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks import labels_made
from benchmarks.common import DEFAULT, SHARED, emit
from cli.folders import embed_pictures
from cli.label_manifests import read_label_manifest
from cli.label_metrics import Judged, Truth, numbers
from cli.label_trial import Labelled, draw_labels, enrolled_labels, judge, rows_by_label
from cli.pictures import Picture, find_pictures
from core.types import Aim, Rule, Views
from core.vectors import Vectors
from encoders import Encoder, open_encoder
from encoders.threads import use_threads

DATA = SHARED / "data"
KINDS = {"single": "singles", "complete": "mosaics", "partial": "mosaics_partial"}
SHOTS = (1, 5)
DRAWS = 5
TUNED = {"sports80": (0, 20), "sports80 second": (20, 20)}  # first class, classes: in seeded order
SEED = 1
APPAREL_SHOTS = 3
AVERAGED = ("map", "micro_f1", "macro_f1", "subset_accuracy", "ece", "micro_precision", "micro_recall")

Scores = np.ndarray
Baseline = Callable[[Labelled, Sequence[str], Vectors], Scores]
"""Supports, labels and queries -> (m, L) scores."""


def to_means(supports: Labelled, names: Sequence[str], queries: Vectors) -> Scores:
    means = np.stack([supports.vectors[has(supports, name)].sum(axis=0) for name in names])
    return queries @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T


def vote(supports: Labelled, names: Sequence[str], queries: Vectors, *, voters: int) -> Scores:
    similarities = queries @ supports.vectors.T
    voters = min(voters, len(supports.vectors))
    nearest = np.argpartition(-similarities, voters - 1, axis=1)[:, :voters]
    weights = np.exp((np.take_along_axis(similarities, nearest, axis=1) - 1) / 0.07)
    bears = np.stack([has(supports, name) for name in names], axis=1)[nearest]
    return (weights[:, :, None] * bears).sum(axis=1) / weights.sum(axis=1, keepdims=True)


def logistic(supports: Labelled, names: Sequence[str], queries: Vectors, *, strength: float) -> Scores:
    columns = []
    for name in names:
        bears = has(supports, name)
        if bears.all():
            columns.append(np.ones(len(queries)))
            continue
        fitted = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
        columns.append(fitted.fit(supports.vectors, bears).predict_proba(queries)[:, 1])
    return np.stack(columns, axis=1)


FAMILIES: dict[str, list[tuple[str, Baseline]]] = {
    "class mean": [("", to_means)],
    "vote": [(f"of {n}", lambda *given, n=n: vote(*given, voters=n)) for n in (1, 3, 5, 10, 20)],
    "logistic": [(f"C {c:g}", lambda *given, c=c: logistic(*given, strength=c)) for c in (1.0, 10.0, 100.0)],
}


@dataclass
class Bank:
    """Vectors of manifests and folders, kept in a folder."""

    spec: str
    cache: Path
    opened: Encoder | None = None

    def encoder(self) -> Encoder:
        if self.opened is None:
            self.opened = open_encoder(self.spec, device="cpu")
        return self.opened

    def vectors(self, files: Sequence[Path], name: str) -> Vectors:
        kept = self.cache / f"{name} {self.spec.replace('/', '_')}.npy"
        if not kept.is_file():
            pictures = [Picture(file, "") for file in files]
            np.save(kept, embed_pictures(self.encoder(), pictures, Views.ONE, title=name).vectors)
        return np.load(kept)

    def made(self, source: str) -> Path:
        """Return the folder of mosaics of some sports, made if it is not there."""
        folder = self.cache / source
        if not (folder / "queries.csv").is_file():
            given = argparse.Namespace(out=folder, seed=SEED, singles=10, mosaics=300, queries=600)
            if source == "sports20":
                given.source, given.singles_from = DATA / "sports20" / "query", DATA / "sports20" / "support"
                given.first, given.classes = 0, None
                given.mosaics, given.queries = 400, 1000
            else:
                given.source, given.singles_from = DATA / "sports80-128px.zip", None
                given.first, given.classes = TUNED[source]
            labels_made.make(given)
        return folder

    def labelled(self, source: str, name: str, *, complete: bool) -> Labelled:
        pictures = read_label_manifest(self.made(source) / f"{name}.csv", complete=complete)
        return Labelled.of(pictures, self.vectors([one.path for one in pictures], f"{source} {name}"))


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
            for aim in (Aim.F1,):
                emit(
                    "labels_mosaics",
                    **about,
                    method="exemplar",
                    **of_rule(Rule(aim=aim), shots, supports, queries),
                )
            for family in FAMILIES:
                setting, baseline, threshold = tuned(bank, family, kind, shots)
                figures = of_baseline(baseline, threshold, shots, supports, queries)
                emit("labels_mosaics", **about, method=f"{family} {setting}".strip(), **figures)


def precision(bank: Bank, source: str) -> None:
    """The precision and recall reached where a precision of 0.9 was asked for."""
    queries = bank.labelled(source, "queries", complete=True)
    for kind in KINDS:
        supports = bank.labelled(source, KINDS[kind], complete=False)
        for shots in (*SHOTS, 8) if kind != "single" or source != "sports20" else SHOTS:
            rule = Rule(aim=Aim.PRECISION, precision=0.9)
            figures = of_rule(rule, shots, supports, queries)
            about = {"source": source, "encoder": bank.spec, "supports": kind, "shots": shots, "asked": 0.9}
            emit("labels_precision", **about, **{name: figures[name] for name in AVERAGED[-2:]})


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
    one.__name__: one for one in (mosaics, precision, apparel, combinations)
}


def of_rule(rule: Rule, shots: int, supports: Labelled, queries: Labelled) -> dict[str, Any]:
    found = []
    for some, names, truth in draws_of(shots, supports, queries):
        judged, _ = judge(enrolled_labels(some, names), rule, queries.vectors, truth, names)
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


def best_threshold(truth: Truth, scores: Scores) -> tuple[float, float]:
    """Return the best micro F1 with one threshold for all labels, and that threshold."""
    order = np.argsort(-scores, axis=None, kind="stable")
    right = np.cumsum((truth == 1).ravel()[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + (truth == 1).sum())
    best = int(f1.argmax())
    return float(f1[best]), float(scores.ravel()[order[best]])


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
        judged, _ = judge(enrolled_labels(some, names), Rule(), queries.vectors, truth, names)
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


def has(supports: Labelled, name: str) -> np.ndarray:
    return np.array([name in labels for labels in supports.labels])


def averaged(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = (*AVERAGED, "micro_f1_best")
    return {
        name: None if found[0][name] is None else round(float(np.mean([one[name] for one in found])), 4)
        for name in names
    }


if __name__ == "__main__":
    main()
