"""Folders of classes as vectors, for commands that need no service."""

from __future__ import annotations

from collections.abc import Collection as AnyOf
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cli.class_folders import choose_classes
from cli.left_out import LeftOut
from cli.pictures import Picture, find_pictures, none_found
from cli.progress import progress_bar
from core.collections import Views
from core.errors import ExemplarError
from core.pictures import decode_picture
from core.settings import Settings, read_settings
from core.tiles import CROPS
from core.vectors import Crops, Vectors, is_unit
from encoders import Encoder, Prepared
from encoders.tiles import draft_side_of_tiles, prepare_crops
from index.supports import Ids


@dataclass(frozen=True, slots=True)
class Embedded:
    """Pictures of one folder of classes as vectors, in name order."""

    labels: Sequence[str]
    vectors: Vectors
    crops: Crops | None = None
    """(n, c, d), of the views `tiles`"""

    @property
    def classes(self) -> list[str]:
        """The labels in order, each once."""
        return sorted(set(self.labels))

    def take(self, rows: Sequence[int] | Ids) -> Embedded:
        """Return some of the pictures."""
        rows = np.asarray(rows, np.int64)
        return Embedded([self.labels[row] for row in rows], self.vectors[rows])

    def of(self, classes: AnyOf[str]) -> Embedded:
        """Return the pictures of some classes."""
        return self.take([row for row, label in enumerate(self.labels) if label in classes])


def embed_folder(
    encoder: Encoder,
    root: Path,
    views: Views = Views.ONE,
    left_out: LeftOut | None = None,
    *,
    class_from: str | None = None,
) -> Embedded:
    """Embed every picture under a folder; one that cannot be read raises what is wrong with it.

    What is no picture is counted in `left_out`.
    """
    left_out = LeftOut() if left_out is None else left_out
    pictures = choose_classes(find_pictures(root, left_out), [root], class_from)
    if not pictures:
        raise none_found(f"under {root}", left_out)
    return embed_pictures(encoder, pictures, views, title=f"embedding {root.name}")


def embed_pictures(encoder: Encoder, pictures: Sequence[Picture], views: Views, *, title: str) -> Embedded:
    """Embed picture files under a progress bar; one that cannot be read raises what is wrong with it."""
    settings = read_settings()
    tiles = 1 + len(CROPS) if views is Views.TILES else 1
    vectors = np.empty((len(pictures), tiles, encoder.dim), np.float32)
    with progress_bar() as bar:
        starts = range(0, len(pictures), encoder.batch_size)
        for start in bar.track(starts, description=title):
            batch = [picture.path for picture in pictures[start : start + encoder.batch_size]]
            prepared = [part for path in batch for part in _prepare(encoder, path, settings, views)]
            part = encoder.embed(prepared)
            _check([path for path in batch for _ in range(tiles)], part)
            vectors[start : start + len(batch)] = part.reshape(-1, tiles, encoder.dim)
    labels = [picture.label for picture in pictures]
    return Embedded(labels, vectors[:, 0], vectors[:, 1:] if tiles > 1 else None)


def _prepare(encoder: Encoder, path: Path, settings: Settings, views: Views) -> tuple[Prepared, ...]:
    in_tiles = views is Views.TILES
    try:
        picture = decode_picture(
            path.read_bytes(),
            max_pixels=settings.max_pixels,
            draft_side=draft_side_of_tiles(encoder) if in_tiles else encoder.draft_side,
            formats_off=settings.formats_off,
        )
        return encoder.prepare(picture, views), *(prepare_crops(encoder, picture) if in_tiles else ())
    except ExemplarError as error:
        raise ExemplarError(error.code, f"{path}: {error.message}") from error


def _check(batch: Sequence[Path], vectors: Vectors) -> None:
    for path, vector in zip(batch, vectors, strict=True):
        if not is_unit(vector):
            raise ExemplarError("vector_invalid", f"{path}: the encoder cannot describe this picture")
