"""Encoders that the default is measured against: DeiT-Tiny and MobileNetV2 from ../shared/weights."""

from __future__ import annotations

import torch
from safetensors.torch import load_file

from benchmarks.common import SHARED
from core.specs import EncoderSpec
from encoders.geometry import Geometry
from encoders.timm_tower import load_timm
from encoders.tower import Tower

DEIT = SHARED / "weights" / "deit_tiny_patch16_224.safetensors"
MOBILENET = SHARED / "weights" / "mobilenet_v2.safetensors"


class PooledMobileNet(torch.nn.Module):
    """MobileNetV2's mean feature."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import mobilenet_v2  # not counted in the memory of the others

        self.network = mobilenet_v2()
        self.network.load_state_dict(load_file(MOBILENET), strict=False)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.network.features(batch).mean((2, 3))


def deit_tower() -> Tower:
    return load_timm(EncoderSpec.parse(f"timm:deit_tiny_patch16_224@{DEIT}"))


def mobilenet_tower() -> Tower:
    return Tower(PooledMobileNet(), Geometry(224, 224, "bilinear"))
