"""Drawn shapes in colours, and the small CLIP that was trained on them: what tests of the text side look at.

`python -m tests.train_shapes` made the weights. The pairs of HELD_OUT were never shown to it, so that only a
model that has understood colours, shapes and their words can name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

WEIGHTS = Path(__file__).parent / "shapes_clip" / "open_clip_model.safetensors"
SPEC = f"open_clip:shapes@{WEIGHTS}"

COLOURS = {
    "red": (215, 40, 40),
    "orange": (250, 145, 20),
    "yellow": (245, 225, 40),
    "green": (40, 155, 60),
    "cyan": (60, 210, 225),
    "blue": (40, 70, 205),
    "purple": (140, 50, 170),
}
SHAPES = ("circle", "square", "triangle", "star", "ring", "cross", "crescent")
LABELS = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)
HELD_OUT = tuple(
    f"{colour} {shape}" for colour, shape in zip(COLOURS, (*SHAPES[3:], *SHAPES[:3]), strict=True)
)
"""One pair of each colour and each shape."""

SIDE = 96
_SCALE = 2  # drawn larger and then reduced, for smooth edges

Points = list[tuple[float, float]]


def draw(label: str, rng: np.random.Generator) -> Image.Image:
    """Draw one "red circle" at a random place, size and tilt on a random plain ground, SIDE pixels square."""
    colour, shape = label.split()
    side = SIDE * _SCALE
    ground = tuple(int(level) for level in rng.integers(150, 256) - rng.integers(0, 13, 3))
    ink = tuple(int(level) for level in (np.array(COLOURS[colour]) + rng.integers(-15, 16, 3)).clip(0, 255))
    picture = Image.new("RGB", (side, side), ground)
    radius = side * rng.uniform(0.22, 0.38)
    middle = rng.uniform(radius * 1.1, side - radius * 1.1, 2)
    tilt, facing = rng.uniform(-0.25, 0.25), rng.choice((-1, 1))  # a crescent faces either side
    _stamp(ImageDraw.Draw(picture), shape, middle, radius, tilt, facing, ink, ground)
    return picture.resize((SIDE, SIDE), Image.Resampling.BOX)


def draw_many(labels: Sequence[str], each: int, *, seed: int) -> list[tuple[str, Image.Image]]:
    """Draw `each` pictures of every label, the same ones for the same seed."""
    rng = np.random.default_rng(seed)
    return [(label, draw(label, rng)) for label in labels for _ in range(each)]


def png(picture: Image.Image) -> bytes:
    """Return a picture as a PNG file's bytes."""
    out = BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _stamp(
    pen: ImageDraw.ImageDraw,
    shape: str,
    middle: np.ndarray,
    radius: float,
    tilt: float,
    facing: int,
    ink: tuple[int, ...],
    ground: tuple[int, ...],
) -> None:
    if shape in ("circle", "ring", "crescent"):
        pen.ellipse(_box(middle, radius), fill=ink)
        if shape == "ring":
            pen.ellipse(_box(middle, radius * 0.55), fill=ground)
        if shape == "crescent":
            beside = middle + radius * 0.5 * np.array([np.cos(tilt), np.sin(tilt)]) * facing
            pen.ellipse(_box(beside, radius * 0.85), fill=ground)
        return
    if shape == "cross":
        for turn in (0.0, np.pi / 2):
            bar = np.array([(-1, -0.3), (1, -0.3), (1, 0.3), (-1, 0.3)]) * radius
            pen.polygon(_turned(bar, tilt + turn, middle), fill=ink)
        return
    pen.polygon(_turned(_corners(shape) * radius, tilt, middle), fill=ink)


def _corners(shape: str) -> np.ndarray:
    corners, inner = {"square": (4, 1.0), "triangle": (3, 1.0), "star": (10, 0.4)}[shape]
    first = np.pi / 4 if shape == "square" else -np.pi / 2
    angles = first + 2 * np.pi * np.arange(corners) / corners
    lengths = np.where(np.arange(corners) % 2, inner, 1.0)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]


def _turned(points: np.ndarray, angle: float, middle: np.ndarray) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    return [(float(x), float(y)) for x, y in points @ np.array([[cos, sin], [-sin, cos]]) + middle]


def _box(middle: np.ndarray, radius: float) -> tuple[float, float, float, float]:
    x, y = (float(value) for value in middle)
    return x - radius, y - radius, x + radius, y + radius
