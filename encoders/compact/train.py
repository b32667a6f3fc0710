"""Train compact: `python -m encoders.compact.train --data ../shared --out training-runs/NAME`."""

from __future__ import annotations

import argparse
import logging
from dataclasses import fields
from pathlib import Path

import torch

from encoders.compact.training.batches import load_training_set
from encoders.compact.training.checkpoint import append_log, claim_run
from encoders.compact.training.loop import Run
from encoders.compact.training.recipe import Recipe

CHOICES = {
    "seed": int,
    "epochs": float,
    "batch": int,
    "feature_weight": float,
    "relation_weight": float,
    "label_weight": float,
    "learning_rate": float,
    "large_part": float,
    "small_side": int,
    "large_side": int,
    "smallest_crop": float,
    "warmup_steps": int,
}


def main() -> None:
    """Train, or go on where the run in --out was stopped, and write weights.safetensors there."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = Recipe(
        **{name: getattr(options, name) for name in CHOICES},
        with_tuning_classes=not options.leave_out_tuning_classes,
    )
    claim_run(options.out, recipe)
    training = load_training_set(options.data, options.cache, recipe, options.device)
    run = Run(options.out, training, recipe, options.device)
    append_log(
        options.out,
        {
            "start": run.step,
            "device": options.device,
            "threads": torch.get_num_threads(),
            "classes": training.classes,
            "torch": torch.__version__,
        },
    )
    run.finish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m encoders.compact.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with data/*.zip and weights/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: state, log, weights")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("training-runs/cache"),
        help="folder of decoded pictures and teachers' features",
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="compute threads; 0 leaves torch's choice")
    parser.add_argument(
        "--leave-out-tuning-classes",
        action="store_true",
        help="also keep the tuning classes away, for runs that are compared by them",
    )
    defaults = {field.name: field.default for field in fields(Recipe)}
    for name, kind in CHOICES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=defaults[name])
    return parser.parse_args()


if __name__ == "__main__":
    main()
