"""Short training runs of compact that differ in one choice, told apart on the tuning classes, as JSON lines.

python -m benchmarks.compact_choices [--epochs 1.5] [--only base,no-labels] [--out training-runs/choices]

Needs ../shared. No run sees the tuning classes, and no figure the held-out classes or `sports20`. A run that
was stopped goes on where it stood; one that is done is only measured again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.compact_encoders import SHARED, embed_with
from benchmarks.compact_quality import CACHE, PICTURES_OF_A_CLASS, emit
from encoders import Encoder
from encoders.compact.shipped import load_compact
from encoders.compact.training.episodes import Labels, episode_accuracies
from encoders.compact.training.pictures import SPORTS, TINY_IMAGENET, Source, load_pictures
from encoders.device import choose_device
from encoders.running import run_all

CHOICES: dict[str, dict[str, float]] = {
    "base": {},
    "base, another seed": {"seed": 1},
    "features alone": {"relation_weight": 0, "label_weight": 0},
    "no labels": {"label_weight": 0},
    "no relations": {"relation_weight": 0},
    "relations 4": {"relation_weight": 4},
    "features 16": {"feature_weight": 16},
    "labels and relations alone": {"feature_weight": 0},
    "crops from 0.25": {"smallest_crop": 0.25},
    "crops from 0.8": {"smallest_crop": 0.8},
    "rate 0.0015": {"learning_rate": 0.0015},
    "rate 0.006": {"learning_rate": 0.006},
    "half sports": {"sports_share": 0.5},
    "no averaging": {"averaging": 0},
}
DRAWS, SEED = 100, 3
WAYS = {SPORTS: 10, TINY_IMAGENET: 20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=float, default=1.5)
    parser.add_argument("--only", help="names of choices, comma separated")
    parser.add_argument("--out", type=Path, default=Path("training-runs/choices"))
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit("../shared is not here; nothing was measured")
    for name in options.only.split(",") if options.only else CHOICES:
        folder = options.out / name.replace(" ", "-").replace(",", "")
        train(folder, options.epochs, CHOICES[name])
        emit(choice=name, changed=CHOICES[name], epochs=options.epochs, **accuracies(folder))


def train(folder: Path, epochs: float, changed: dict[str, float]) -> None:
    """Run the training command without the tuning classes, unless its weights are there."""
    if (folder / "weights.safetensors").exists():
        return
    command = [sys.executable, "-m", "encoders.compact.train", "--data", str(SHARED), "--out", str(folder)]
    command += ["--epochs", str(epochs), "--no-with-tuning-classes"]
    for field, value in changed.items():
        command += [f"--{field.replace('_', '-')}", str(value)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def accuracies(folder: Path) -> dict[str, float]:
    """Mean accuracy of the draws by cosine to class means, and twice the error of that mean."""
    encoder = Encoder(
        "compact", run_all([load_compact(folder / "weights.safetensors")], choose_device("cpu"))
    )
    found: dict[str, float] = {}
    for source, ways in WAYS.items():
        pictures, labels = tuning_pictures(source)
        vectors = embed_with(encoder)(pictures)
        for shots in (1, 5):
            draws = episode_accuracies(vectors, labels, ways=ways, shots=shots, draws=DRAWS, seed=SEED)
            name = f"{source.name.partition('-')[0]}_{shots}"
            found[name] = round(float(np.mean(draws)), 4)
            found[f"{name}_error"] = round(float(2 * np.std(draws) / np.sqrt(DRAWS)), 4)
    return found


def tuning_pictures(source: Source) -> tuple[list[Image.Image], Labels]:
    """The first pictures, in name order, of each tuning class."""
    pictures = load_pictures(source, SHARED, CACHE)
    rows = pictures.rows_of(pictures.split.tuning)
    labels = pictures.labels[rows]
    kept = np.concatenate([rows[labels == label][:PICTURES_OF_A_CLASS] for label in np.unique(labels)])
    return [Image.fromarray(pictures.pixels[row]) for row in kept], pictures.labels[kept]


if __name__ == "__main__":
    main()
