"""The input geometry of an encoder: size, resizing, and colour normalisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from core.errors import ExemplarError

Pixels = npt.NDArray[np.uint8]
"""(views, height, width, 3) uint8, RGB: a picture resized to an input size, in full or also cropped."""

Box = tuple[float, float, float, float]
"""Left, upper, right, lower, in pixels."""

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CROPPED = 0.875  # share of the shorter side in a centre crop: 224 of 256, as usual


@dataclass(frozen=True, slots=True)
class Frame:
    """Input size in pixels and the filter's name: towers with the same frame share the resized pixels."""

    height: int
    width: int
    interpolation: str = "bicubic"

    def resize(self, picture: Image.Image, *, crop: bool) -> Pixels:
        """Resize the full picture to the input size, antialiased, and with `crop` its centre as well.

        The full picture comes first: on few-shot sports it was 1.4 to 3.3 points better than the centre.
        """
        rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
        boxes = [None, self._centre(*rgb.size)] if crop else [None]
        return np.stack([self._fit(rgb, box) for box in boxes])

    def _fit(self, rgb: Image.Image, box: Box | None) -> npt.NDArray[np.uint8]:
        # a box filter first reduces large pictures to three times the size: 2 to 5 times as fast, at 53 dB
        filtered = RESAMPLING[self.interpolation]
        return np.asarray(rgb.resize((self.width, self.height), filtered, box, reducing_gap=3.0))

    def _centre(self, width: int, height: int) -> Box:
        """Return the largest centred box of the input's shape, less a margin."""
        scale = CROPPED * min(width / self.width, height / self.height) / 2
        across, down = self.width * scale, self.height * scale
        return width / 2 - across, height / 2 - down, width / 2 + across, height / 2 + down


@dataclass(frozen=True, slots=True)
class Geometry:
    """Input size in pixels, the filter's name, and mean and deviation of colours on a scale of 0 to 1."""

    height: int
    width: int
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def __post_init__(self) -> None:
        if self.interpolation not in RESAMPLING:
            raise ExemplarError(
                "encoder_weights_invalid",
                f"expected an interpolation of {', '.join(RESAMPLING)}, got {self.interpolation!r}",
            )

    @property
    def frame(self) -> Frame:
        """The part that determines the resized pixels."""
        return Frame(self.height, self.width, self.interpolation)
