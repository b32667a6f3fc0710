"""What the default encoder's input, features and rule were chosen by: other sports than the test set's.

python -m benchmarks.encoder_tuning [--part input,features,kernel,thresholds] [--encoder efficientnet_lite2]
    [--sides 224,260,300,340,320] [--step 2] [--draws 15] [--cache DIR]

Four groups of 20 of the sports in ../shared/data/sports80-128px.zip; in each, examples are drawn from one
part of a class's pictures and asked about another. Printed is the mean accuracy at 1 and 5 examples by
class-balanced kernel ridge regression, as JSON lines. `features` also reads tiny-imagenet-64px.zip, which the
maps are fitted on.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.common import SHARED, emit
from cli.folders import Embedded
from cli.trial import Plan, try_out
from core.collections import Rule
from core.vectors import Vectors
from encoders.device import Device, Runtime
from encoders.efficientnet_lite import load_efficientnet_lite
from encoders.geometry import Frame
from encoders.openvino_forward import is_installed
from encoders.running import forward_of
from index.kernel import RIDGE

DATA = SHARED / "data"
SPORTS, OTHERS = DATA / "sports80-128px.zip", DATA / "tiny-imagenet-64px.zip"
GROUP, SHOTS = 20, (1, 5)
OWN = {"efficientnet_lite2": 260, "efficientnet_lite0": 224}  # sides that the networks were trained at
BATCH = 16
OTHERS_STEP = 5  # 6,000 pictures are enough for a covariance
UNKNOWN = ("auroc", "false_reject", "accepted_strangers", "predicted")
Floats = np.ndarray[Any, np.dtype[np.float64]]


class Lab:
    """Pooled features of a zip's pictures, computed once for each treatment of the input."""

    def __init__(self, encoder: str, step: int, cache: Path | None) -> None:
        self.encoder, self.step, self.cache = encoder, step, cache

    def features(self, file: Path, side: int, look: str = "squash") -> tuple[Floats, list[str]]:
        """Return (n, 1280) features before the square root, and the folder of each picture."""
        step = self.step * (OTHERS_STEP if file == OTHERS else 1)
        kept = self.cache and self.cache / f"{self.encoder}-{file.stem}-{side}-{look}-{step}.npz"
        if kept and kept.is_file():
            with np.load(kept) as found:
                return found["features"].astype(np.float64), found["labels"].tolist()
        features, labels = self._computed(file, side, look, step)
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez(kept, features=features.astype(np.float32), labels=np.array(labels))
        return features, labels

    def _computed(self, file: Path, side: int, look: str, step: int) -> tuple[Floats, list[str]]:
        tower = load_efficientnet_lite(self.encoder)
        tower = replace(
            tower,
            module=tower.module.network,  # type: ignore[arg-type]
            geometry=replace(tower.geometry, height=side, width=side),
        )
        runtime = Runtime.OPENVINO if is_installed() else Runtime.TORCH
        forward = forward_of(tower, Device("cpu", torch.float32, BATCH, runtime))
        rows, labels = [], []
        with zipfile.ZipFile(file) as pictures:
            names = [name for name in pictures.namelist() if name.endswith(".jpg")][::step]
            for at in range(0, len(names), BATCH):
                batch = [
                    LOOKS[look](Image.open(BytesIO(pictures.read(name))).convert("RGB"), side)
                    for name in names[at : at + BATCH]
                ]
                rows.append(forward(np.stack(batch)))
        labels = [name.partition("/")[0] for name in names]
        return np.concatenate(rows).astype(np.float64), labels


def squash(picture: Image.Image, side: int) -> Any:
    return Frame(side, side).resize(picture, crop=False)[0]


def mirrored(picture: Image.Image, side: int) -> Any:
    return squash(picture, side)[:, ::-1]


def crop(picture: Image.Image, side: int) -> Any:
    """The centre as timm evaluates these networks: 0.89 of the shorter side."""
    width, height = picture.size
    half = 0.89 * min(picture.size) / 2
    box = (width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half)
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC, box))


LOOKS: dict[str, Callable[[Image.Image, int], Any]] = {one.__name__: one for one in (squash, mirrored, crop)}


def unit(rows: Floats) -> Floats:
    lengths: Floats = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


def accuracies(
    vectors: Floats,
    labels: list[str],
    draws: int,
    *,
    width: float = 1.0,
    ridge: float = RIDGE,
    uneven: bool = False,
) -> list[float]:
    """Return the mean accuracy at 1 and 5 examples; `uneven`: of classes with 5 and with 1, side by side."""
    found: list[list[float]] = []
    for query, truth, pools in groups(labels):
        for draw in range(draws):
            rng = np.random.default_rng(draw)
            if uneven:
                counts = np.where(np.arange(GROUP) % 2, 1, 5)
                hit = hits(vectors, query, truth, drawn(pools, counts, rng), counts, width, ridge)
                many = counts[truth] == 5
                found.append([float(hit[many].mean()), float(hit[~many].mean())])
                continue
            line = []
            for shots in SHOTS:
                counts = np.full(GROUP, shots)
                hit = hits(vectors, query, truth, drawn(pools, counts, rng), counts, width, ridge)
                line.append(float(hit.mean()))
            found.append(line)
    return [round(float(mean), 4) for mean in np.mean(found, axis=0)]


def groups(labels: list[str]) -> Iterator[tuple[Any, Any, list[Any]]]:
    """Yield rows to ask about, their classes' places, and rows to draw each class's examples from."""
    classes = np.random.default_rng(7).permutation(np.unique(labels))
    for start in range(0, len(classes) - GROUP + 1, GROUP):
        rows = [np.flatnonzero(np.array(labels) == label) for label in classes[start : start + GROUP]]
        halves = [(own[: len(own) // 3], own[len(own) // 3 :]) for own in rows]
        query = np.concatenate([asked for _, asked in halves])
        truth = np.repeat(np.arange(GROUP), [len(asked) for _, asked in halves])
        yield query, truth, [pool for pool, _ in halves]


def drawn(pools: list[Any], counts: Any, rng: np.random.Generator) -> Any:
    return np.concatenate(
        [rng.choice(pool, count, replace=False) for pool, count in zip(pools, counts, strict=True)]
    )


def hits(
    vectors: Floats, query: Any, truth: Any, support: Any, counts: Any, width: float, ridge: float
) -> Any:
    """Return which queries the kernel rule names rightly, by exp(width (u.v - 1)) + 1."""
    columns = np.repeat(np.arange(GROUP), counts)
    shown = vectors[support]
    kernel = np.exp(width * (shown @ shown.T - 1)) + 1
    harmonic = GROUP / np.sum(1 / counts)
    kernel[np.diag_indices_from(kernel)] += ridge * counts[columns] / harmonic
    weights = np.linalg.solve(kernel, np.eye(GROUP)[columns])
    scores = (np.exp(width * (vectors[query] @ shown.T - 1)) + 1) @ weights
    return scores.argmax(axis=1) == truth


def input_part(lab: Lab, sides: list[int], draws: int) -> None:
    """The size that pictures are squashed to, the centre crop, and the mirror image."""
    for side in sides:
        features, labels = lab.features(SPORTS, side)
        shown(lab, "input", f"squash to {side}", accuracies(unit(features**0.5), labels, draws))
    own = OWN[lab.encoder]
    features, labels = lab.features(SPORTS, own, "crop")
    shown(lab, "input", f"centre crop to {own}", accuracies(unit(features**0.5), labels, draws))
    plain, labels = lab.features(SPORTS, own)
    flipped, _ = lab.features(SPORTS, own, "mirrored")
    both = unit(unit(plain**0.5) + unit(flipped**0.5))
    shown(lab, "input", f"squash to {own}, views flip", accuracies(both, labels, draws))


def features_part(lab: Lab, sides: list[int], draws: int) -> None:
    """Powers of the features, and linear maps that half-whiten what pictures of one class differ by."""
    features, labels = lab.features(SPORTS, sides[-1])
    for power in (1.0, 0.7, 0.5, 0.3):
        shown(lab, "features", f"power {power}", accuracies(unit(features**power), labels, draws))
    others, words = lab.features(OTHERS, sides[-1])
    roots, fitted_on = unit(features**0.5), unit(others**0.5)
    map_ = half_whitening(fitted_on, words)
    shown(lab, "features", "power 0.5, map", accuracies(unit(roots @ map_), labels, draws))
    mapped = fitted_on @ map_
    _, axes = np.linalg.eigh(mapped.T @ mapped)
    for dim in (768, 512, 384):
        kept = unit(roots @ map_ @ axes[:, -dim:])
        shown(lab, "features", f"power 0.5, map, {dim} components", accuracies(kept, labels, draws))


def half_whitening(rows: Floats, labels: list[str]) -> Floats:
    """Return W^-1/4 of the within-class covariance, shrunk half-way to the identity."""
    _, places = np.unique(labels, return_inverse=True)
    means = np.stack([rows[places == place].mean(axis=0) for place in range(places.max() + 1)])
    rest = rows - means[places]
    values, axes = np.linalg.eigh(rest.T @ rest / len(rest))
    shrunk = 0.5 * np.maximum(values, 0) + 0.5 * values.mean()
    return (axes * shrunk**-0.25) @ axes.T


def kernel_part(lab: Lab, sides: list[int], draws: int) -> None:
    """The kernel's width and the ridge, with classes of one size and uneven ones (5 and 1 examples)."""
    features, labels = lab.features(SPORTS, sides[-1])
    vectors = unit(features**0.5)
    for width in (1.0, 2.0, 4.0):
        for ridge in (0.1, 0.3, 0.5):
            choice = {"width": width, "ridge": ridge}
            uneven = accuracies(vectors, labels, draws, uneven=True, **choice)
            even = accuracies(vectors, labels, draws, **choice)
            shown(lab, "kernel", f"width {width}, ridge {ridge}", even, uneven_5_and_1=uneven)


def thresholds_part(lab: Lab, sides: list[int], draws: int) -> None:
    """By the product's own code: known pictures turned away, unfamiliar ones named, calibration error."""
    features, labels = lab.features(SPORTS, sides[-1])
    vectors: Vectors = unit(features**0.5).astype(np.float32)
    for shots in (1, 2, 5):
        lines = []
        for draw in range(draws):
            rng = np.random.default_rng(draw)
            classes = rng.permutation(np.unique(labels))[:GROUP]
            rows = [rng.permutation(np.flatnonzero(np.array(labels) == label)) for label in classes]
            known, strange = rows[: GROUP // 2], rows[GROUP // 2 :]
            support = np.concatenate([own[:shots] for own in known])
            query = np.concatenate([own[shots:] for own in known])
            figures, _ = try_out(
                Plan(Rule(), shots),
                Embedded([labels[row] for row in support], vectors[support]),
                Embedded([labels[row] for row in query], vectors[query]),
                Embedded(["?"] * sum(map(len, strange)), vectors[np.concatenate(strange)]),
            )
            unknown = figures["unknown"]
            lines.append([figures["ece"], *(unknown[name] for name in UNKNOWN)])
        means = [round(float(mean), 4) for mean in np.mean(np.array(lines, float), axis=0)]
        found = dict(zip(("ece", *UNKNOWN), means, strict=True))
        emit("encoder_tuning_thresholds", encoder=lab.encoder, side=sides[-1], shots=shots, **found)


def shown(lab: Lab, part: str, choice: str, even: list[float], **more: Any) -> None:
    emit(f"encoder_tuning_{part}", encoder=lab.encoder, choice=choice, shots_1_and_5=even, **more)


PARTS = {
    "input": input_part,
    "features": features_part,
    "kernel": kernel_part,
    "thresholds": thresholds_part,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--part", default=",".join(PARTS))
    parser.add_argument("--encoder", default="efficientnet_lite2", choices=list(OWN))
    parser.add_argument("--sides", default="224,260,300,340,320", help="the last is what later parts use")
    parser.add_argument("--step", type=int, default=2, help="every how many-th picture")
    parser.add_argument("--draws", type=int, default=15)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    if not SPORTS.is_file() or not OTHERS.is_file():
        raise SystemExit("../shared/data has no sports80 or Tiny ImageNet; nothing was measured")
    torch.set_num_threads(1)
    lab = Lab(given.encoder, given.step, given.cache)
    for part in given.part.split(","):
        PARTS[part](lab, [int(side) for side in given.sides.split(",")], given.draws)


if __name__ == "__main__":
    main()
