"""Large pictures converted some rows at a time, so that no step holds the whole picture once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PIL import Image

STRIP_PIXELS = 1 << 20


def strips_of(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield the strips of a picture from its top, each with its first row."""
    width, height = picture.size
    rows = max(STRIP_PIXELS // width, 1)
    for top in range(0, height, rows):
        yield top, picture.crop((0, top, width, min(top + rows, height)))


def by_strips(picture: Image.Image, mode: str, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Return a picture converted to a mode by its strips; a small one is converted as it is."""
    if picture.width * picture.height <= STRIP_PIXELS:
        return convert(picture)
    made = Image.new(mode, picture.size)
    for top, strip in strips_of(picture):
        made.paste(convert(strip), (0, top))
    return made
