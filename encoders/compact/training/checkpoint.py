"""The state of a run on disk: whole or not at all, so that kill -9 costs only the steps since the last."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from core.errors import ExemplarError
from encoders.compact.training.recipe import Recipe

STATE, RECIPE, LOG = "state.pt", "recipe.json", "log.jsonl"


def save_state(run: Path, state: dict[str, Any]) -> None:
    """Replace the run's state."""
    partial = run / f"{STATE}.partial"
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(run / STATE)


def load_state(run: Path, device: str) -> dict[str, Any] | None:
    """Return the run's last state, or none where it has not saved one yet."""
    file = run / STATE
    if not file.exists():
        return None
    state: dict[str, Any] = torch.load(file, map_location=device, weights_only=True)
    return state


def claim_run(run: Path, recipe: Recipe) -> None:
    """Make the run's folder; raise `run_unfit` where it holds a run of another recipe."""
    run.mkdir(parents=True, exist_ok=True)
    file, text = run / RECIPE, json.dumps(asdict(recipe), indent=2)
    if file.exists() and file.read_text() != text:
        raise ExemplarError(
            "run_unfit", f"expected the recipe of {file} to go on with, got another; name a new --out folder"
        )
    file.write_text(text)


def append_log(run: Path, entry: dict[str, Any]) -> None:
    """Append one JSON line with the time of day."""
    with (run / LOG).open("a") as file:
        file.write(json.dumps({"at": round(time.time(), 1), **entry}) + "\n")
