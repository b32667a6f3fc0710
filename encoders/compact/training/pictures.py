"""Zips of class folders -> uint8 squares, labels, and the fixed split of the classes."""

from __future__ import annotations

import json
import random
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

SPLIT_SEED = 2026

Pixels = npt.NDArray[np.uint8]
"""(n, side, side, 3) uint8, RGB; whole pictures squashed to the square."""


@dataclass(frozen=True, slots=True)
class Source:
    """A zip of class folders, its pixels' side, and how many classes are kept away from training."""

    file: str
    side: int
    held_out: int
    tuning: int

    @property
    def name(self) -> str:
        """The file's name without its end."""
        return Path(self.file).stem


SPORTS = Source("sports80-128px.zip", side=128, held_out=20, tuning=10)
TINY_IMAGENET = Source("tiny-imagenet-64px.zip", side=64, held_out=40, tuning=20)
SOURCES = (SPORTS, TINY_IMAGENET)


@dataclass(frozen=True, slots=True)
class Split:
    """Class names: `held_out` only for figures, `tuning` only for choosing (trained on in a final run)."""

    held_out: frozenset[str]
    tuning: frozenset[str]
    training: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pictures:
    """All pictures of a source in name order; `labels` (n,) index `classes`."""

    source: Source
    pixels: Pixels
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def split(self) -> Split:
        """The fixed split of the classes."""
        return split_classes(self.source, self.classes)

    def rows_of(self, names: frozenset[str]) -> npt.NDArray[np.int64]:
        """Return the indices of the pictures of some classes."""
        wanted = [index for index, name in enumerate(self.classes) if name in names]
        return np.flatnonzero(np.isin(self.labels, wanted))


def split_classes(source: Source, classes: tuple[str, ...]) -> Split:
    """Shuffle the sorted names with a fixed seed: first the held-out ones, then the tuning ones."""
    names = sorted(classes)
    random.Random(SPLIT_SEED).shuffle(names)  # noqa: S311 - a split, not a secret
    cut = source.held_out + source.tuning
    return Split(
        frozenset(names[: source.held_out]), frozenset(names[source.held_out : cut]), frozenset(names[cut:])
    )


def load_pictures(source: Source, shared: Path, cache: Path) -> Pictures:
    """Load a source from its cache, which is made from the zip on the first call."""
    array, index = cache / f"{source.name}.npy", cache / f"{source.name}.json"
    if not index.exists():
        _fill_cache(source, shared / "data" / source.file, array, index)
    listing = json.loads(index.read_text())
    pixels: Pixels = np.load(array, mmap_mode="r")
    return Pictures(source, pixels, np.array(listing["labels"]), tuple(listing["classes"]))


def squash(picture: Image.Image, side: int) -> Image.Image:
    """Resize the whole picture to a square, bicubic and antialiased."""
    return picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)


def _fill_cache(source: Source, zipped: Path, array: Path, index: Path) -> None:
    with zipfile.ZipFile(zipped) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        folders = [name.rsplit("/", 1)[0] for name in names]
        classes = sorted(set(folders))
        pixels: Pixels = np.empty((len(names), source.side, source.side, 3), np.uint8)
        for row, name in enumerate(names):
            pixels[row] = np.asarray(squash(Image.open(BytesIO(archive.read(name))), source.side))
    array.parent.mkdir(parents=True, exist_ok=True)
    np.save(array, pixels)
    # the index is written last: it says that the array is whole
    partial = index.with_suffix(".partial")
    partial.write_text(json.dumps({"classes": classes, "labels": [classes.index(name) for name in folders]}))
    partial.replace(index)
