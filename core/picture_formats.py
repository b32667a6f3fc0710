"""The formats of pictures that are read, by name and suffix, and what other files are called."""

from __future__ import annotations

import os.path
from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec

from core.errors import ExemplarError


@dataclass(frozen=True, slots=True)
class Format:
    """A format: the name that turns it off, what people call it, its suffixes, and what reads it.

    `decoder` is Pillow's name of it; `module` is what must be installed besides Pillow.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    decoder: str
    read_by: str
    module: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether this build can read it."""
        return not self.module or find_spec(self.module) is not None


_OF_RAW = (
    ".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2",
    ".rwl", ".sr2", ".srw",
)  # fmt: skip

FORMATS = (
    Format("jpeg", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"), "JPEG", "Pillow"),
    Format("png", "PNG", (".png", ".apng"), "PNG", "Pillow"),
    Format("webp", "WebP", (".webp",), "WEBP", "Pillow"),
    Format("gif", "GIF", (".gif",), "GIF", "Pillow"),
    Format("bmp", "BMP", (".bmp", ".dib"), "BMP", "Pillow"),
    Format("tiff", "TIFF", (".tif", ".tiff"), "TIFF", "Pillow"),
    Format("heif", "HEIC", (".heic", ".heif", ".hif"), "HEIF", "pi-heif", module="pi_heif"),
    Format("avif", "AVIF", (".avif",), "AVIF", "Pillow", module="PIL._avif"),
    Format("jpeg2000", "JPEG 2000", (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"), "JPEG2000", "Pillow"),
    Format("raw", "camera raw", _OF_RAW, "JPEG", "Exemplar (its JPEG preview)"),
)
BY_NAME = {format_.name: format_ for format_ in FORMATS}
SUFFIXES = frozenset(suffix for format_ in FORMATS for suffix in format_.suffixes)
RAW_SUFFIXES = frozenset(_OF_RAW)
TITLES = ", ".join(format_.title for format_ in FORMATS)

VIDEO_SUFFIXES = frozenset(
    (
        ".3g2", ".3gp", ".avi", ".flv", ".insv", ".lrv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg",
        ".mpg", ".mts", ".vob", ".webm", ".wmv",
    )
)  # fmt: skip
LIVE_SUFFIXES = (".mov", ".mp4")
"""What the video of a Live Photo ends with; its picture is a file of the same name."""
_OF_LIVE = frozenset(BY_NAME["heif"].suffixes + BY_NAME["jpeg"].suffixes)


def suffixes_read(formats_off: Collection[str]) -> list[str]:
    """Return the suffixes of the formats that are not turned off, in order."""
    return sorted(
        suffix for format_ in FORMATS if format_.name not in formats_off for suffix in format_.suffixes
    )


def suffix_of(name: str) -> str:
    """Return the suffix of a file's name in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()


def is_picture(name: str) -> bool:
    """Say whether a file's suffix is one of a picture."""
    return suffix_of(name) in SUFFIXES


def is_video(name: str) -> bool:
    """Say whether a file's suffix is one of a video."""
    return suffix_of(name) in VIDEO_SUFFIXES


def video_error(name: str) -> ExemplarError:
    """Return the error of a file whose suffix is one of a video."""
    return ExemplarError(
        "picture_unreadable", f"a video ({suffix_of(name)[1:].upper()}); videos are not read"
    )


def live_photo_names(names: Collection[str]) -> frozenset[str]:
    """Return, of names or paths, the videos of Live Photos: those with a picture of the same name."""
    stems = {name[: -len(suffix)].lower() for name in names if (suffix := suffix_of(name)) in _OF_LIVE}
    if not stems:
        return frozenset()
    return frozenset(
        name
        for name in names
        if (suffix := suffix_of(name)) in LIVE_SUFFIXES and name[: -len(suffix)].lower() in stems
    )
