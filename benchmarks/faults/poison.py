"""Pictures that the encoder of `benchmarks.faults.process` takes for poison."""

from __future__ import annotations

from enum import IntEnum
from io import BytesIO

from PIL import Image


class Poison(IntEnum):
    """What a poisoned picture does."""

    SEGFAULT = 1
    OUT_OF_MEMORY = 2
    LOOP = 3
    RAISE = 4
    DEVICE_MEMORY = 5
    """Raises in batches of more than four, as a device that runs out of memory."""
    DEVICE_ONCE = 6
    ABORT_ONCE = 7


def poisoned(poison: Poison, number: int = 0) -> bytes:
    """Return a picture file that does so; the number tells it from others."""
    image = Image.new("RGB", (64, 64), (255, 0, 200 + poison.value))
    image.putpixel((0, 0), (number % 256, number // 256, 0))
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def poison_of(picture: Image.Image) -> Poison | None:
    """Return what a decoded picture does; None for an ordinary one."""
    red, green, blue = picture.getpixel((32, 32))
    try:
        return Poison(blue - 200) if (red, green) == (255, 0) else None
    except ValueError:
        return None
