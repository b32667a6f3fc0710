"""Error budgets: how many labels given by machine are wrong where 1, 2 and 5 % may be.

    python -m benchmarks.error_budget [--part sports20,strangers,sports80] [--cache DIR]

JSON lines: what was asked and of what, what share of the pictures is left to people, foretold and in fact,
and what share of the labels given by machine, and of all pictures, is wrong; means over the draws and the
worst of them. `sports20` asks its queries, at 1 and 5 examples of each of 20 sports. `strangers` enrols ten
of them and asks pictures of the other ten, and mosaics of two to four of those: every label is wrong. Both
are test sets: nothing is chosen by them. `sports80` has 5, 20 and 40 examples, in four groups of 20 sports.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common import DEFAULT, SHARED, emit
from benchmarks.labels_made import mosaics, read_source
from cli.evaluate import hold_out
from cli.folders import Embedded, embed_folder
from cli.left_out import LeftOut
from cli.trial import DRAWS, draw, enrolled
from core.collections import ErrorOf, Rule, Views
from encoders import open_encoder
from index.advice import error_budget
from index.decide import classify

SPORTS20, SPORTS80 = SHARED / "data" / "sports20", SHARED / "data" / "sports80-128px.zip"
ASKED = (0.01, 0.02, 0.05)
MOSAICS = 300
PER_CLASS, ENROLLED = 60, 40  # pictures of a class of sports80, and those that supports are drawn from
GROUPS = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """Supports, and pictures that are asked about; labels that no class has are those of strangers."""

    name: str
    shots: int
    supports: Embedded
    queries: Embedded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--part", default=",".join(PARTS))
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    if not SPORTS20.is_dir() or not SPORTS80.exists():
        raise SystemExit("../shared/data is not here; nothing was measured")
    for part in given.part.split(","):
        found: dict[tuple[str, int], list[Asked]] = defaultdict(list)
        for asked in PARTS[part](given.cache):
            found[asked.name, asked.shots].append(asked)
        for (name, shots), draws in found.items():
            for error_of in ErrorOf:
                for most in ASKED:
                    measure(name, shots, draws, Rule(max_error=most, error_of=error_of))


def sports20(cache: Path | None) -> Iterator[Asked]:
    """The test set, in the draws of `exemplar evaluate`."""
    supports, queries = vectors("sports20-support", cache), vectors("sports20-query", cache)
    yield from _draws("sports20", supports, queries)


def strangers(cache: Path | None) -> Iterator[Asked]:
    """Ten sports of the test set enrolled; the others, and mosaics of these, asked about."""
    supports, _, others = hold_out(vectors("sports20-support", cache), vectors("sports20-query", cache), 10)
    yield from _draws("strangers", supports, others)
    yield from _draws("mosaics of strangers", supports, vectors("mosaics", cache, set(others.labels)))


def sports80(cache: Path | None) -> Iterator[Asked]:
    """Groups of other sports, with more examples."""
    everything = vectors("sports80", cache)
    places, seen = np.empty(len(everything.labels), np.int64), defaultdict[str, int](int)
    for row in np.random.default_rng(0).permutation(len(places)).tolist():
        places[row] = seen[everything.labels[row]]
        seen[everything.labels[row]] += 1
    for number in range(GROUPS):
        among = np.isin(everything.labels, everything.classes[number::GROUPS])
        queries = everything.take(np.flatnonzero(among & (places >= ENROLLED)))
        for shots in (5, 20, ENROLLED):
            supports = everything.take(np.flatnonzero(among & (places < shots)))
            yield Asked("sports80", shots, supports, queries)


PARTS: dict[str, Callable[[Path | None], Iterator[Asked]]] = {
    one.__name__: one for one in (sports20, strangers, sports80)
}


def measure(name: str, shots: int, draws: Sequence[Asked], rule: Rule) -> None:
    """Answer the queries of each draw, and say what was foretold and what came."""
    foretold, people, wrong, wrong_of_all, unfamiliar = [], [], [], [], []
    for asked in draws:
        replica = enrolled(asked.supports)
        budget = error_budget(replica.fit(rule), rule)
        answers = classify(replica, rule, asked.queries.vectors, top=1)
        automatic = np.array([answer.automatic for answer in answers], bool)
        right = np.array([a.label == label for a, label in zip(answers, asked.queries.labels, strict=True)])
        if budget is None:
            raise SystemExit("expected a budget")
        foretold.append(budget.to_people)
        unfamiliar.append(budget.unfamiliar or 0.0)
        people.append(1.0 - automatic.mean())
        wrong.append(float((~right[automatic]).mean()) if automatic.any() else 0.0)
        wrong_of_all.append(float((automatic & ~right).mean()))
    emit(
        "error_budget",
        pictures=name,
        examples=shots,
        draws=len(draws),
        max_error=rule.max_error,
        error_of=rule.error_of.value,
        **{
            key: round(float(np.mean(values)), 4)
            for key, values in (
                ("foretold_to_people", foretold),
                ("to_people", people),
                ("wrong_of_automatic", wrong),
                ("wrong_of_all", wrong_of_all),
                ("unfamiliar_foretold", unfamiliar),
            )
        },
        worst_wrong_of_automatic=round(max(wrong), 4),
        worst_wrong_of_all=round(max(wrong_of_all), 4),
    )


def vectors(name: str, cache: Path | None, classes: set[str] | None = None) -> Embedded:
    """Return the vectors of a set of pictures by the default encoder."""
    file = None if cache is None else cache / f"{name}.npz"
    if file is not None and file.is_file():
        with np.load(file) as kept:
            return Embedded(kept["labels"].tolist(), kept["vectors"])
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if name == "sports80":
            _unpack(folder)
        elif name == "mosaics":
            _make_mosaics(folder, classes or set())
        else:
            folder = SPORTS20 / name.partition("-")[2]
        found = embed_folder(open_encoder(DEFAULT), folder, Views.ONE, LeftOut(), class_from=None)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, labels=np.array(found.labels), vectors=found.vectors)
    return found


def _draws(name: str, supports: Embedded, queries: Embedded) -> Iterator[Asked]:
    for shots in (1, 5):
        for number in range(DRAWS if shots == 1 else 1):
            rows = draw(supports.labels, dict.fromkeys(supports.classes, shots), number)
            yield Asked(name, shots, supports.take(rows), queries)


def _make_mosaics(folder: Path, classes: set[str]) -> None:
    source = {label: reads for label, reads in read_source(SPORTS20 / "query").items() if label in classes}
    made = [one for one in mosaics(source, MOSAICS, np.random.default_rng(0)) if len(one.labels) > 1]
    (folder / "mosaic").mkdir()
    for number, one in enumerate(made):
        one.picture.save(folder / "mosaic" / f"{number:03d}.jpg", quality=92)


def _unpack(folder: Path) -> None:
    with zipfile.ZipFile(SPORTS80) as archive:
        seen = defaultdict[str, int](int)
        for name in sorted(archive.namelist()):
            label = Path(name).parent.name
            if name.lower().endswith(".jpg") and seen[label] < PER_CLASS:
                seen[label] += 1
                (folder / label).mkdir(exist_ok=True)
                (folder / label / Path(name).name).write_bytes(archive.read(name))


if __name__ == "__main__":
    main()
