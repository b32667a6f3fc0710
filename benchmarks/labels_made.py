"""Make pictures of several labels: mosaics of one to four pictures, with their manifests, by a seed.

python -m benchmarks.labels_made SOURCE OUT [--singles-from SOURCE] [--seed 0] [--classes N] [--from K]
    [--singles 10] [--mosaics 300] [--queries 600]

A source is a folder of class folders, or a ZIP of them. OUT then holds these manifests and their pictures:

singles.csv           single pictures, each with its label; partial, as folders are
mosaics.csv           mosaics with all of their labels; complete
mosaics_partial.csv   the same mosaics, each with one of its labels; partial
queries.csv           mosaics of other pictures; complete

No picture is used in two of the three folders. Tune on mosaics of ../shared/data/sports80-128px.zip, and
choose nothing by those of ../shared/data/sports20.
"""

from __future__ import annotations

import argparse
import csv
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from core.picture_formats import is_picture

CELL = 224  # pixels of the side of a mosaic's smallest part
MOST = 4
QUALITY = 92
# columns, rows, width and height of each part, in cells
LAYOUTS: Mapping[int, Sequence[tuple[int, int, int, int]]] = {
    1: [(0, 0, 1, 1)],
    2: [(0, 0, 1, 1), (1, 0, 1, 1)],
    3: [(0, 0, 2, 1), (0, 1, 1, 1), (1, 1, 1, 1)],
    4: [(0, 0, 1, 1), (1, 0, 1, 1), (0, 1, 1, 1), (1, 1, 1, 1)],
}

Read = Callable[[], bytes]
Source = Mapping[str, Sequence[Read]]
"""The pictures of each class, in name order."""


@dataclass(frozen=True, slots=True)
class Made:
    """One made picture and what its manifests say."""

    picture: Image.Image
    labels: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--singles-from", type=Path, help="another source for the single pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classes", type=int, help="use so many of the classes; default all")
    parser.add_argument(
        "--from", dest="first", type=int, default=0, help="the first of them, in seeded order"
    )
    parser.add_argument("--singles", type=int, default=10, help="single pictures of each class")
    parser.add_argument("--mosaics", type=int, default=300)
    parser.add_argument("--queries", type=int, default=600)
    given = parser.parse_args()
    make(given)


def make(given: argparse.Namespace) -> None:
    rng = np.random.default_rng(given.seed)
    source = read_source(given.source)
    order = [sorted(source)[place] for place in rng.permutation(len(source))]
    labels = sorted(order[given.first :][: given.classes])
    shuffled = {
        label: [source[label][place] for place in rng.permutation(len(source[label]))] for label in labels
    }
    if given.singles_from is None:
        singles = {label: reads[: given.singles] for label, reads in shuffled.items()}
        shuffled = {label: reads[given.singles :] for label, reads in shuffled.items()}
    else:
        other = read_source(given.singles_from)
        singles = {label: other[label][: given.singles] for label in labels}
    half = {label: len(reads) // 3 for label, reads in shuffled.items()}  # more for queries, which judge
    for_mosaics = {label: reads[: half[label]] for label, reads in shuffled.items()}
    for_queries = {label: reads[half[label] :] for label, reads in shuffled.items()}
    write_singles(given.out, singles)
    supports = list(mosaics(for_mosaics, given.mosaics, rng))
    write(given.out, "mosaics", supports, complete=True)
    partial = [Made(one.picture, (str(rng.choice(one.labels)),)) for one in supports]
    write_manifest(given.out / "mosaics_partial.csv", "mosaics", partial, complete=False)
    write(given.out, "queries", mosaics(for_queries, given.queries, rng), complete=True)


def read_source(path: Path) -> Source:
    """Return the pictures of each class of a folder, or of a ZIP."""
    found: dict[str, list[Read]] = {}
    if path.is_file():
        archive = zipfile.ZipFile(path)
        for name in sorted(archive.namelist()):
            if is_picture(name):
                found.setdefault(Path(name).parent.name, []).append(lambda name=name: archive.read(name))
        return found
    for file in sorted(path.rglob("*")):
        if file.is_file() and is_picture(file.name):
            found.setdefault(file.parent.name, []).append(file.read_bytes)
    return found


def mosaics(source: Source, number: int, rng: np.random.Generator) -> Iterator[Made]:
    """Yield mosaics of 1 to 4 pictures of different classes, whose classes occur about equally often."""
    labels = sorted(source)
    waiting: list[str] = []
    used = dict.fromkeys(labels, 0)
    for _ in range(number):
        chosen: list[str] = []
        for _ in range(int(rng.integers(1, MOST + 1))):
            if not set(waiting) - set(chosen):
                waiting += [labels[place] for place in rng.permutation(len(labels))]
            label = next(one for one in waiting if one not in chosen)
            waiting.remove(label)
            chosen.append(label)
        parts = []
        for label in chosen:
            parts.append(opened(source[label][used[label] % len(source[label])]))
            used[label] += 1
        yield Made(joined(parts), tuple(sorted(chosen)))


def joined(parts: Sequence[Image.Image]) -> Image.Image:
    """Return pictures side by side on one canvas, each cut to the shape of its place."""
    layout = LAYOUTS[len(parts)]
    width = CELL * max(left + across for left, _, across, _ in layout)
    height = CELL * max(top + down for _, top, _, down in layout)
    canvas = Image.new("RGB", (width, height))
    for part, (left, top, across, down) in zip(parts, layout, strict=True):
        fitted = ImageOps.fit(part, (across * CELL, down * CELL), Image.Resampling.BICUBIC)
        canvas.paste(fitted, (left * CELL, top * CELL))
    return canvas


def opened(read: Read) -> Image.Image:
    return Image.open(BytesIO(read())).convert("RGB")


def write_singles(out: Path, singles: Source) -> None:
    rows = []
    for label, reads in singles.items():
        (out / "singles" / label).mkdir(parents=True, exist_ok=True)
        for number, read in enumerate(reads):
            name = f"singles/{label}/{number:03d}.jpg"
            (out / name).write_bytes(read())
            rows.append((name, label, "false"))
    write_rows(out / "singles.csv", rows)


def write(out: Path, name: str, made: Sequence[Made] | Iterator[Made], *, complete: bool) -> None:
    (out / name).mkdir(parents=True, exist_ok=True)
    kept = []
    for number, one in enumerate(made):
        one.picture.save(out / name / f"{number:05d}.jpg", quality=QUALITY)
        kept.append(one)
    write_manifest(out / f"{name}.csv", name, kept, complete=complete)


def write_manifest(path: Path, folder: str, made: Sequence[Made], *, complete: bool) -> None:
    write_rows(
        path,
        [
            (f"{folder}/{number:05d}.jpg", ";".join(one.labels), str(complete).lower())
            for number, one in enumerate(made)
        ],
    )


def write_rows(path: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "labels", "complete"), *rows])


if __name__ == "__main__":
    main()
