"""Azure Custom Vision: the tagged images of a project, as its training API lists them.

The format: a JSON array of images with `id`, `tags` (`tagName`) and `regions` (`tagName` and shares of the
sides), see Get Tagged Images in the Custom Vision REST reference, version 3.3 and 3.4-preview.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from cli.importers.labelled import Found, LabelledPicture, Unusable, box_of, crop, read_json
from cli.importers.places import Places
from core.errors import ExemplarError

REGIONS = "regions need --crop"
PLACES = ("file", "originalImageUri", "resizedImageUri", "imageUri")


def read_azure(path: Path, places: Places, *, crops: bool) -> Found:
    """Yield the images of one listing, or of all listings (*.json) of a folder."""
    for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        images = read_json(file)
        if not isinstance(images, list):
            raise ExemplarError("manifest_invalid", f"{file}: expected an array of images")
        for number, image in enumerate(images):
            yield from _of_image(image, f"{file.name}, image {number}", places, crops=crops)


def _of_image(image: Any, at: str, places: Places, *, crops: bool) -> Found:
    if not isinstance(image, dict):
        yield Unusable(at, ExemplarError("manifest_invalid", "expected an object"))
        return
    id_ = str(image.get("id") or "") or None
    place = next((str(image[name]) for name in PLACES if image.get(name)), None)
    if place is None:
        yield Unusable(id_ or at, ExemplarError("manifest_invalid", f"expected one of {', '.join(PLACES)}"))
        return
    read = partial(places.read, place)
    if crops and image.get("regions"):
        for region in image["regions"]:
            try:
                box = box_of(region, relative=True)
                label = str(region["tagName"])
            except (ExemplarError, KeyError, TypeError) as error:
                known = error if isinstance(error, ExemplarError) else _no_name()
                yield Unusable(id_ or at, known)
                continue
            yield LabelledPicture(
                f"{id_ or at}, {label}",
                (label,),
                partial(crop, read, box),
                region.get("regionId") or id_,
            )
        return
    tags = [
        str(tag["tagName"]) for tag in image.get("tags") or () if isinstance(tag, dict) and tag.get("tagName")
    ]
    yield LabelledPicture(
        id_ or at, tuple(tags), read, id_, complete=True, hint=REGIONS if image.get("regions") else ""
    )


def _no_name() -> ExemplarError:
    return ExemplarError("manifest_invalid", "expected a region with a tagName")
