"""Vectors of the 20 sports, of digits and of noise, by any of the encoders that are compared."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import DEFAULT, LITE0, SHARED, load_digits_once
from benchmarks.other_encoders import deit_tower, mobilenet_tower
from benchmarks.sklearn_pictures import read_digits
from cli.folders import Embedded, embed_pictures
from cli.pictures import Picture, find_pictures
from core.collections import Views
from core.vectors import Vectors
from encoders import Encoder, open_encoder
from encoders.choice import run_chosen
from encoders.device import choose_device
from encoders.efficientnet_lite import load_efficientnet_lite
from encoders.tower import Tower

FOLDER = SHARED / "data" / "sports20"
DRAWN_FROM = 25  # of each digit; the others are asked about
FAR = 300  # digits, and pictures of noise
TOWERS: dict[str, Callable[[], Tower]] = {
    DEFAULT: partial(load_efficientnet_lite, DEFAULT),
    LITE0: partial(load_efficientnet_lite, LITE0),
    "deit_tiny": deit_tower,
    "mobilenet_v2": mobilenet_tower,
}


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
