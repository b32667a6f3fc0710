"""The crops of a picture for an encoder."""

from __future__ import annotations

from PIL import Image

from core.tiles import CROP_SIDE, CROPS
from encoders.encoder import Encoder, Prepared


def prepare_crops(encoder: Encoder, picture: Image.Image) -> tuple[Prepared, ...]:
    """Resize the overlapping crops of an upright picture to the input sizes, in the order of `CROPS`."""
    return tuple(encoder.prepare(picture.crop(crop.box(*picture.size))) for crop in CROPS)


def draft_side_of_tiles(encoder: Encoder) -> int:
    """Pixels that the shorter side of a picture should have, so that its crops have enough."""
    return round(encoder.draft_side / CROP_SIDE)
