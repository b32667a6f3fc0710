"""The quality of a picture by itself: its size, its sharpness and its exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from core.quality import Finding, FindingCode, Quality

SIDE = 128  # pixels of the shorter side at which sharpness is measured: it depends on the scale
BLUR = 4  # pixels over which neighbours are averaged: a picture that is sharp loses contrast by that
EDGE = 0.05  # share of the pixels that are left out at the dark and at the bright end

Light = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured of a picture."""

    side: int
    """Pixels of its shorter side"""
    sharpness: float
    """The share of the differences between neighbours that goes when the picture is blurred, from 0 to 1"""
    dark: float
    """The light below which 95 % of the pixels are, from 0 to 255"""
    bright: float
    """The light above which 95 % of the pixels are, from 0 to 255"""


def measure(picture: Image.Image) -> Measures:
    """Measure a picture."""
    shorter = min(picture.size)
    scale = min(SIDE / shorter, 1.0)
    width, height = (max(round(length * scale), 1) for length in picture.size)
    small = picture.convert("L").resize((width, height), Image.Resampling.BOX)
    shares = np.cumsum(small.histogram()) / (width * height)
    bright, dark = np.searchsorted(shares, (EDGE, 1.0 - EDGE))
    light: Light = np.asarray(small, np.float32)
    return Measures(shorter, round(sharpness(light), 4), float(dark), float(bright))


def sharpness(light: Light) -> float:
    """Return how much a picture loses when it is blurred along its rows and its columns, the lesser of both.

    Crete, Dolmiere, Ladet and Nicolas 2007, "The blur effect: perception and estimation with a new
    no-reference perceptual blur metric": 1 minus their measure. What is blurred already loses little.
    Unlike the variance of the Laplacian it does not depend on the contrast.
    """
    return min(_lost(light), _lost(light.T))


def findings_of(measures: Measures, quality: Quality) -> tuple[Finding, ...]:
    """Return what is wrong with a picture by itself."""
    found = []
    if measures.side < quality.min_side:
        found.append(Finding(FindingCode.TOO_SMALL, measures.side, quality.min_side))
    if measures.sharpness < quality.min_sharpness:
        found.append(Finding(FindingCode.BLURRED, measures.sharpness, quality.min_sharpness))
    if measures.dark < quality.min_light:
        found.append(Finding(FindingCode.TOO_DARK, measures.dark, quality.min_light))
    if measures.bright > quality.max_light:
        found.append(Finding(FindingCode.TOO_BRIGHT, measures.bright, quality.max_light))
    return tuple(found)


def _lost(light: Light) -> float:
    """Return the share of the differences between neighbours in a row that a blur along the rows removes."""
    reach = 2 * BLUR + 1
    if light.shape[1] <= reach:
        return 1.0  # too small to tell
    # a moving mean changes by what enters less what leaves it
    after = np.abs(light[:, reach:] - light[:, :-reach]) / reach
    before = np.abs(np.diff(light, axis=1))[:, BLUR : BLUR + after.shape[1]]
    total = float(before.sum())
    if total == 0.0:
        return 0.0
    return float(np.maximum(before - after, 0.0).sum()) / total
