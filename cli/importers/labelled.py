"""The common form that every importer produces: a labelled picture, or an error in its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from core.errors import ExemplarError
from core.pictures import decode_picture

MAX_PIXELS = 200_000_000  # of the operator's own pictures, which are only cropped


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture to enrol with all its labels; `read` returns its bytes and raises ExemplarError."""

    place: str
    labels: tuple[str, ...]
    read: Callable[[], bytes]
    external_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
    """Whether it has no labels but these."""
    hint: str = ""
    """What may be done where there is not exactly one label."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """An entry of the format that is no picture to enrol, and why."""

    place: str
    error: ExemplarError


Found = Iterator[LabelledPicture | Unusable]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the upright picture, in pixels, or in shares of its sides if `relative`."""

    left: float
    top: float
    width: float
    height: float
    relative: bool

    def pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom within a picture; raises `region_invalid`."""
        x, y = (width, height) if self.relative else (1, 1)
        left, top = max(round(self.left * x), 0), max(round(self.top * y), 0)
        right = min(round((self.left + self.width) * x), width)
        bottom = min(round((self.top + self.height) * y), height)
        if right <= left or bottom <= top:
            raise ExemplarError(
                "region_invalid", f"expected a region inside {width} x {height} pixels, got {self}"
            )
        return left, top, right, bottom


def box_of(values: Mapping[str, Any], *, relative: bool) -> Box:
    """Return the box of an object with left, top, width and height; raises `region_invalid`."""
    try:
        sides = [float(values[name]) for name in ("left", "top", "width", "height")]
    except (KeyError, TypeError, ValueError) as error:
        raise ExemplarError("region_invalid", "expected numbers named left, top, width and height") from error
    return Box(sides[0], sides[1], sides[2], sides[3], relative)


def crop(read: Callable[[], bytes], box: Box) -> bytes:
    """Read a picture and return one region of it as a PNG."""
    picture = decode_picture(read(), max_pixels=MAX_PIXELS, draft_side=1 << 16)
    out = BytesIO()
    picture.crop(box.pixels(*picture.size)).save(out, "PNG")
    return out.getvalue()


def read_file(path: Path) -> bytes:
    """Return the bytes of a file; raises `picture_missing`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExemplarError("picture_missing", f"{path}: {error.strerror}") from error


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; raises `manifest_invalid`."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ExemplarError("manifest_invalid", f"{path}: expected JSON: {error}") from error
