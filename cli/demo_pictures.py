"""Pictures for the demo: tiles of photographs that come with dependencies, or the user's own folder."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from cli.class_folders import choose_classes
from cli.pictures import Picture, find_pictures
from core.errors import ExemplarError

SHOTS = 5
TILES = 35  # minimum per photograph
SEED = 0

# These are inside the wheels, so nothing is downloaded. Licences as the packages state them.
PHOTOGRAPHS: dict[str, Callable[[], np.ndarray]] = {
    "astronaut": data.astronaut,  # NASA, public domain
    "cat": data.chelsea,  # Stefan van der Walt, CC0
    "coffee": data.coffee,  # Rachel Michetti, CC0
    "flower": lambda: _sample("flower.jpg"),  # vultilion, CC BY 2.0
    "galaxies": data.hubble_deep_field,  # NASA, public domain
    "motorcycle": lambda: data.stereo_motorcycle()[0],  # Middlebury stereo benchmark of 2014, no terms stated
    "pagoda": lambda: _sample("china.jpg"),  # danielbuechele, CC BY 2.0
    "retina": lambda: data.retina()[218:1193, 218:1193],  # CC0; inside the round edge, beyond which is black
    "rocket": data.rocket,  # SpaceX, public domain
    "tissue": data.immunohistochemistry,  # CMMI, no known restrictions
}


def _sample(file: str) -> np.ndarray:
    package = find_spec("sklearn")  # whose import would take 2 s
    assert package is not None and package.submodule_search_locations is not None
    folder = Path(package.submodule_search_locations[0], "datasets", "images")
    return np.asarray(Image.open(folder / file))


@dataclass(frozen=True, slots=True)
class DemoPictures:
    """Up to five supports of each class, and held-out pictures to classify."""

    supports: dict[str, list[Path]]
    queries: list[Picture]


def write_tiles(root: Path) -> Path:
    """Cut each photograph into tiles, one folder per photograph under `root`; return `root`."""
    for label, load in PHOTOGRAPHS.items():
        photograph = Image.fromarray(load())
        folder = root / label
        folder.mkdir(parents=True)
        for row, column, box in tile_boxes(*photograph.size):
            photograph.crop(box).save(folder / f"row{row}-column{column}.png")
    return root


def tile_boxes(width: int, height: int) -> Iterator[tuple[int, int, tuple[int, int, int, int]]]:
    """Yield row, column and box of the largest squares of which TILES fit without overlap."""
    side = next(side for side in range(height, 0, -1) if (width // side) * (height // side) >= TILES)
    for row in range(height // side):
        for column in range(width // side):
            left, top = column * side, row * side
            yield row + 1, column + 1, (left, top, left + side, top + side)


def split_folder(root: Path, class_from: str | None = None) -> DemoPictures:
    """Split a folder of class folders: up to five supports per class (at most half), the rest held out."""
    by_label: dict[str, list[Path]] = defaultdict(list)
    for picture in choose_classes(find_pictures(root), [root], class_from):
        by_label[picture.label].append(picture.path)
    usable = {label: paths for label, paths in sorted(by_label.items()) if len(paths) >= 2}
    if len(usable) < 2:
        raise ExemplarError(
            "photos_invalid",
            f"expected two or more folders of two or more pictures in {root}, found {len(usable)}",
        )
    supports: dict[str, list[Path]] = {}
    queries: list[Picture] = []
    for label, paths in usable.items():
        shuffled = random.Random(SEED).sample(paths, len(paths))
        shots = min(SHOTS, len(paths) // 2)
        supports[label] = shuffled[:shots]
        queries += [Picture(path, label) for path in shuffled[shots:]]
    return DemoPictures(supports, queries)
