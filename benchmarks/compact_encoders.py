"""What compact is measured against, each as a function from pictures to unit vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from core.vectors import Vectors
from encoders import Encoder, open_encoder
from encoders.device import choose_device
from encoders.geometry import Geometry
from encoders.running import run_all
from encoders.tower import Tower

SHARED = Path(__file__).parents[1].parent / "shared"
DEIT = SHARED / "weights" / "deit_tiny_patch16_224.safetensors"
MOBILENET = SHARED / "weights" / "mobilenet_v2.safetensors"

Embed = Callable[[Sequence[Image.Image]], Vectors]


class PooledMobileNet(torch.nn.Module):
    """MobileNetV2's mean feature."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import mobilenet_v2  # not counted in the memory of the others

        self.network = mobilenet_v2()
        self.network.load_state_dict(load_file(MOBILENET), strict=False)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.network.features(batch).mean((2, 3))


def open_compact() -> Encoder:
    return open_encoder("compact", device="cpu")


def open_deit() -> Encoder:
    return open_encoder(f"timm:deit_tiny_patch16_224@{DEIT}", device="cpu")


def open_mobilenet() -> Encoder:
    return Encoder("mobilenet_v2", run_all([mobilenet_tower()], choose_device("cpu")))


def mobilenet_tower() -> Tower:
    return Tower(PooledMobileNet(), Geometry(224, 224, "bilinear"))


def embed_with(encoder: Encoder) -> Embed:
    def embed(pictures: Sequence[Image.Image]) -> Vectors:
        step = encoder.batch_size
        parts = [
            encoder.embed([encoder.prepare(picture) for picture in pictures[at : at + step]])
            for at in range(0, len(pictures), step)
        ]
        return np.concatenate(parts)

    return embed


def raw_pixels(pictures: Sequence[Image.Image]) -> Vectors:
    """32 x 32 RGB pixels as they are, scaled to unit length."""
    squares = [
        np.asarray(picture.convert("RGB").resize((32, 32), Image.Resampling.BICUBIC)) for picture in pictures
    ]
    flat = (
        np.stack(squares).reshape(len(squares), -1).astype(np.float32) + 1
    )  # a black picture has a direction
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def side_by_side(one: Vectors, other: Vectors) -> Vectors:
    return np.concatenate([one, other], axis=1) / np.float32(np.sqrt(2))
