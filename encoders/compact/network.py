"""The network of compact: a slim ResNet-D with a wide last layer.

Sources: residual blocks of two 3x3 convolutions, He et al. 2015 (arXiv:1512.03385); average pooling in the
shortcut, He et al. 2018, "ResNet-D" (arXiv:1812.01187); a 1x1 expansion before pooling, MobileNetV2
(arXiv:1801.04381). Dense convolutions, because on a CPU with bf16 or AVX-512 they train two to four times as
fast as depthwise ones of the same accuracy class, and each folds with its batch norm into one for serving
(as in RepVGG, arXiv:2101.03697).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

STEM = 32
WIDTHS, DEPTHS = (48, 96, 192, 384), (1, 2, 2, 1)
WIDE = 768
DIM = 384


class Compact(nn.Module):
    """Maps (n, 3, side, side) to (n, 384); `folded` is the serving form, without batch norms."""

    def __init__(self, *, folded: bool = False) -> None:
        super().__init__()
        self.stem = nn.Sequential(Unit(3, STEM, 2, folded), Unit(STEM, WIDTHS[0], 2, folded))
        blocks: list[nn.Module] = []
        width = WIDTHS[0]
        for stage, (wider, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
            for place in range(depth):
                blocks.append(Block(width, wider, 2 if stage and not place else 1, folded))
                width = wider
        self.blocks = nn.Sequential(*blocks)
        self.wide = Unit(width, WIDE, 1, folded, side=1)
        self.head = nn.Linear(WIDE, DIM)

    def pooled(self, batch: Tensor) -> Tensor:
        """Map (n, 3, side, side) to the (n, 768) features under the head."""
        wide: Tensor = self.wide(self.blocks(self.stem(batch)))
        return wide.mean((2, 3))

    def forward(self, batch: Tensor) -> Tensor:
        """Map (n, 3, side, side) to (n, 384) features of any length."""
        features: Tensor = self.head(self.pooled(batch))
        return features


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, width: int, wider: int, stride: int, folded: bool) -> None:
        super().__init__()
        self.first = Unit(width, wider, stride, folded)
        self.second = Unit(wider, wider, 1, folded, active=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or width != wider:
            pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
            self.shortcut = nn.Sequential(pool, Unit(width, wider, 1, folded, side=1, active=False))

    def forward(self, batch: Tensor) -> Tensor:
        """Map (n, width, h, w) to (n, wider, h / stride, w / stride)."""
        return torch.relu_(self.second(self.first(batch)) + self.shortcut(batch))


def fold(network: Compact) -> Compact:
    """Return the serving form: every batch norm folded into the convolution before it."""
    folded = Compact(folded=True).eval()
    for unit, plain in zip(_units(network), _units(folded), strict=True):
        assert isinstance(unit.norm, nn.BatchNorm2d)
        fused = fuse_conv_bn_eval(unit.convolution.eval(), unit.norm.eval())
        plain.convolution.load_state_dict(fused.state_dict())
    folded.head.load_state_dict(network.head.state_dict())
    return folded


class Unit(nn.Module):
    """A convolution with its batch norm (none when folded) and, where active, ReLU."""

    def __init__(
        self, width: int, wider: int, stride: int, folded: bool, *, side: int = 3, active: bool = True
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, wider, side, stride, side // 2, bias=folded)
        self.norm = nn.Identity() if folded else nn.BatchNorm2d(wider)
        self.active = active

    def forward(self, batch: Tensor) -> Tensor:
        """Map (n, width, h, w) to (n, wider, h / stride, w / stride)."""
        features: Tensor = self.norm(self.convolution(batch))
        return torch.relu_(features) if self.active else features


def _units(network: Compact) -> list[Unit]:
    return [module for module in network.modules() if isinstance(module, Unit)]
