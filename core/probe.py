"""The probe picture: a reproducible picture whose vector identifies an encoder's weights."""

from __future__ import annotations

import numpy as np
from PIL import Image

from core.vectors import Vector

SIDE = 256
ALIKE = 0.99  # the cosine for the same weights on another device or in bfloat16 stays above 0.999


def probe_picture() -> Image.Image:
    """Return coloured rings and gradients, identical on every machine."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    rings = ((x - 90) ** 2 + (y - 140) ** 2) // 97 % 256
    pixels = np.stack([x, rings, (x + 2 * y) % 256], axis=2).astype(np.uint8)
    return Image.fromarray(pixels)


def is_same_encoder(one: Vector, other: Vector) -> bool:
    """Return whether two vectors of the probe picture come from the same weights."""
    return one.shape == other.shape and float(one @ other) >= ALIKE
