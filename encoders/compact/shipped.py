"""The weights that come with the package -> a tower."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save
from torch import nn

from encoders.compact.network import Compact
from encoders.geometry import Geometry
from encoders.tower import Tower
from encoders.weights import fit_weights, read_weights

WEIGHTS = Path(__file__).with_name("weights.safetensors")
SIDE = 96  # pixels of the square that a picture is squashed to; 112 and 128 were worse on the tuning classes


def load_compact(file: Path = WEIGHTS) -> Tower:
    """Load the shipped float16 weights, or others of the same network.

    compact sees pictures only: it has no text side. Raises `encoder_weights_missing` or
    `encoder_weights_unfit`.
    """
    weights = {name: tensor.float() for name, tensor in read_weights(str(file)).items()}
    network = Compact(
        folded=True
    )  # its random start takes 40 ms, the meta device would import 300 ms of sympy
    fit_weights(network, weights, str(file))
    return Tower(network, Geometry(SIDE, SIDE))


def save_compact(folded: nn.Module, file: Path) -> None:
    """Write a folded network as float16 safetensors, whole or not at all."""
    weights = {
        name: tensor.detach().cpu().half().contiguous() for name, tensor in folded.state_dict().items()
    }
    partial = file.with_suffix(".partial")
    partial.write_bytes(save(weights))
    partial.replace(file)
