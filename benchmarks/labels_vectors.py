"""The pictures of `benchmarks.labels` as vectors, made and embedded once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import labels_made
from benchmarks.common import SHARED
from cli.folders import embed_pictures
from cli.label_manifests import read_label_manifest
from cli.label_trial import Labelled
from cli.pictures import Picture
from core.collections import Views
from core.vectors import Crops, Vectors
from encoders import Encoder, open_encoder

DATA = SHARED / "data"
TUNED = {"sports80": (0, 20), "sports80 second": (20, 20)}  # first class, classes: in seeded order
SEED = 1


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

    def tiles(self, source: str, name: str) -> Labelled:
        """Return the complete pictures of a manifest, with their crops."""
        pictures = read_label_manifest(self.made(source) / f"{name}.csv", complete=True)
        return Labelled.of(pictures, *self.with_crops([one.path for one in pictures], f"{source} {name}"))

    def with_crops(self, files: Sequence[Path], name: str) -> tuple[Vectors, Crops]:
        """Return the vectors of pictures and of their crops."""
        kept = self.cache / f"{name} crops {self.spec.replace('/', '_')}.npz"
        if not kept.is_file():
            pictures = [Picture(file, "") for file in files]
            found = embed_pictures(self.encoder(), pictures, Views.TILES, title=name)
            np.savez(kept, wholes=found.vectors, crops=found.crops)
        with np.load(kept) as arrays:
            return arrays["wholes"], arrays["crops"]
