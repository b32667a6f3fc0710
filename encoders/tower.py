"""The tower that an adapter loads and an `Encoder` runs: a network, its input geometry, and its text half."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from encoders.geometry import Geometry


@dataclass(frozen=True, slots=True)
class TextTower:
    """A module that maps token ids (n, length) to (n, dim) features, and its tokeniser."""

    module: nn.Module
    tokenize: Callable[[Sequence[str]], Tensor]


@dataclass(frozen=True, slots=True)
class TextSource:
    """A text half that is loaded when it is first needed; `scale` multiplies its cosines with pictures."""

    load: Callable[[], TextTower]
    scale: float


@dataclass(frozen=True, slots=True)
class Tower:
    """A module that maps normalised (n, 3, height, width) pictures to (n, dim) features of any length.

    `text` is its text half, or the reason why there is none; `features` names the treatment of the network's
    features, and is part of an encoder's identity.
    """

    module: nn.Module
    geometry: Geometry
    text: TextSource | str = "it embeds pictures only"
    features: str = ""
