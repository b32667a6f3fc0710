"""Tiles: a picture and overlapping crops of it, in which small things are large.

The crops are at the four corners and in the centre, each with 60 % of both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

CROP_SIDE = 0.6
_FREE = round(1.0 - CROP_SIDE, 6)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a picture, in fractions of its width and height."""

    x: Annotated[float, Field(description="The left edge.")]
    y: Annotated[float, Field(description="The upper edge.")]
    width: float
    height: float

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return left, upper, right and lower in pixels of a picture."""
        left, upper = round(self.x * width), round(self.y * height)
        across, down = max(round(self.width * width), 1), max(round(self.height * height), 1)
        return left, upper, left + across, upper + down


CROPS = tuple(
    Part(x, y, CROP_SIDE, CROP_SIDE)
    for x, y in ((0.0, 0.0), (_FREE, 0.0), (0.0, _FREE), (_FREE, _FREE), (_FREE / 2, _FREE / 2))
)
