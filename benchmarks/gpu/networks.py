"""The networks that are measured, with weights of ../shared/weights, or random ones, which take as long."""

from __future__ import annotations

from pathlib import Path

import open_clip
import timm
import torch
from safetensors.torch import save_file

from benchmarks.common import DEFAULT, SHARED
from core.specs import EncoderSpec
from encoders.opening import load_tower
from encoders.tower import Tower

NETWORKS = {
    "vitb32": "open_clip:ViT-B-32",
    "vitl14": "open_clip:ViT-L-14",
    "beitl": "timm:beit_large_patch16_224",
    DEFAULT: DEFAULT,
}
TINY = {"tiny": "timm:test_efficientnet"}  # for --quick


def spec_of(name: str, folder: Path) -> str:
    """Return the spec of a network, with a file of weights that is made if there is none."""
    spec = {**NETWORKS, **TINY}[name]
    kind, _, network = spec.partition(":")
    if not network:
        return spec
    given = SHARED / "weights" / f"{network}.safetensors"
    made = folder / f"{name}.safetensors"
    if given.exists():
        return f"{spec}@{given}"
    if not made.exists():
        torch.manual_seed(0)
        module = (
            open_clip.create_model(network).visual
            if kind == "open_clip"
            else timm.create_model(network, num_classes=0)
        )
        save_file({key: value.contiguous() for key, value in module.state_dict().items()}, made)
    return f"{spec}@{made}"


def tower_of(spec: str) -> Tower:
    return load_tower(EncoderSpec.parse(spec))
