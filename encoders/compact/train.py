"""Train compact: `python -m encoders.compact.train --data ../shared --out training-runs/NAME`."""

from __future__ import annotations

import argparse
import functools
import logging
import os
from dataclasses import fields
from pathlib import Path

import torch

from encoders.compact.training.batches import load_training_set
from encoders.compact.training.checkpoint import append_log, claim_run
from encoders.compact.training.loop import Run
from encoders.compact.training.pictures import SOURCES, load_pictures
from encoders.compact.training.recipe import Recipe
from encoders.compact.training.share import Share, run_shared
from encoders.compact.training.teachers import load_targets


def main() -> None:
    """Train, or go on where the run in --out was stopped, and write weights.safetensors there."""
    options = _options()
    recipe = Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})
    claim_run(options.out, recipe)
    for source in SOURCES:  # once, before several processes read it
        pictures = load_pictures(source, options.data, options.cache)
        load_targets(pictures, options.data / "weights", options.cache, device=options.device)
    run_shared(functools.partial(train, options=options, recipe=recipe), options.processes, options.out)


def train(share: Share, *, options: argparse.Namespace, recipe: Recipe) -> None:
    """Take one process's share of a run."""
    logging.basicConfig(
        level=logging.INFO if share.first else logging.WARNING, format="%(asctime)s %(message)s"
    )
    training = load_training_set(options.data, options.cache, recipe, options.device)
    run = Run(options.out, training, recipe, options.device, share)
    if share.first:
        facts = {"start": run.step, "device": options.device, "processes": share.count}
        append_log(options.out, facts | {"classes": training.classes, "torch": torch.__version__})
    run.finish()


def _options() -> argparse.Namespace:
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(prog="python -m encoders.compact.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with data/*.zip and weights/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: state, log, weights")
    cache = Path("training-runs/cache")
    parser.add_argument("--cache", type=Path, default=cache, help="decoded pictures and teachers' features")
    parser.add_argument("--device", default="cuda" if cuda else "cpu")
    cores = 1 if cuda else os.cpu_count() or 1
    parser.add_argument("--processes", type=int, default=cores, help="processes that share each batch")
    for field in fields(Recipe):
        name, kind = f"--{field.name.replace('_', '-')}", type(field.default)
        action = {"action": argparse.BooleanOptionalAction} if kind is bool else {"type": kind}
        parser.add_argument(name, default=field.default, **action)
    return parser.parse_args()


if __name__ == "__main__":
    main()
