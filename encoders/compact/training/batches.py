"""Which pictures stand in which batch: a function of seed and step, so a resumed run is the same run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from encoders.compact.training.pictures import SPORTS, TINY_IMAGENET, Pictures, Pixels, Source, load_pictures
from encoders.compact.training.recipe import Recipe
from encoders.compact.training.share import Share
from encoders.compact.training.targets import Axes, fit_axes
from encoders.compact.training.teachers import load_targets
from encoders.compact.training.views import random_views

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """The training pictures of one source in memory, with their targets; labels count on over the sources."""

    pixels: Pixels
    targets: Tensor
    labels: Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Views (n, 3, side, side), targets (n, 384) of unit length, labels (n,)."""

    views: Tensor
    targets: Tensor
    labels: Tensor


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """All training pictures, sports first, the number of their classes, and the axes of the targets."""

    parts: tuple[Part, ...]
    classes: int
    axes: Axes

    def steps_per_epoch(self, recipe: Recipe) -> int:
        """Return the steps in which every Tiny ImageNet picture comes up once."""
        return len(self.parts[1].labels) // _shares(recipe)[1]

    def batch_at(self, step: int, side: int, recipe: Recipe, device: str, share: Share) -> Batch:
        """Make a process's share of the batch of a step."""
        rng = np.random.default_rng([recipe.seed, 1, step, share.rank])
        views, targets, labels = [], [], []
        for place, (part, count) in enumerate(zip(self.parts, _shares(recipe), strict=True)):
            rows = _rows(step, count, len(part.labels), (recipe.seed, place))[share.rank :: share.count]
            views.append(random_views(part.pixels[rows], side, recipe.smallest_crop, rng, device))
            targets.append(part.targets[rows])
            labels.append(part.labels[rows])
        return Batch(torch.cat(views), torch.cat(targets).to(device), torch.cat(labels).to(device))


def load_training_set(shared: Path, cache: Path, recipe: Recipe, device: str) -> TrainingSet:
    """Load pictures and targets; what the cache lacks is computed from the zips and the teachers."""
    loaded = [_load(source, shared, cache, recipe, device) for source in (SPORTS, TINY_IMAGENET)]
    axes = fit_axes(torch.cat([features for _, _, features in loaded]))
    parts, first = [], 0
    for pixels, labels, features in loaded:
        names, numbered = np.unique(labels, return_inverse=True)
        parts.append(Part(pixels, axes.project(features), torch.from_numpy(numbered + first)))
        first += len(names)
    return TrainingSet(tuple(parts), first, axes)


def _load(
    source: Source, shared: Path, cache: Path, recipe: Recipe, device: str
) -> tuple[Pixels, Rows, Tensor]:
    pictures: Pictures = load_pictures(source, shared, cache)
    features = torch.from_numpy(load_targets(pictures, shared / "weights", cache, device=device))
    split = pictures.split
    names = split.training | split.tuning if recipe.with_tuning_classes else split.training
    cached = pictures.rows_of(split.training | split.tuning)
    rows = pictures.rows_of(names)
    return np.ascontiguousarray(pictures.pixels[rows]), pictures.labels[rows], features[np.isin(cached, rows)]


def _shares(recipe: Recipe) -> tuple[int, int]:
    sports = round(recipe.batch * recipe.sports_share)
    return sports, recipe.batch - sports


def _rows(step: int, share: int, count: int, seed: tuple[int, int]) -> Rows:
    """Take the next `share` of an endless row of shuffles; a shuffle's remainder is left out."""
    epoch, place = divmod(step, count // share)
    order = np.random.default_rng([*seed, 2, epoch]).permutation(count)
    return order[place * share : (place + 1) * share]
