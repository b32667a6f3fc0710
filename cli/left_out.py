"""The files of folders that are no pictures, counted by what they are: none of them vanishes unsaid."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from cli.client import Json
from core.picture_formats import is_video, suffix_of
from formats.names import SYSTEM_NAMES

SIDECARS = {".xmp", ".aae"}
_WORDS = re.compile(r"\b(file|folder|video|sidecar|link|picture)\b(?!\.)")
LIVE = "video of a Live Photo"


def what_is(name: str, *, is_folder: bool = False) -> str:
    """Return what people call a file that is left out: `video`, `hidden file`, `PSD file`, `Thumbs.db`."""
    if name.lower() in SYSTEM_NAMES:
        return name
    if name.startswith("."):
        return "hidden folder" if is_folder else "hidden file"
    suffix = suffix_of(name)
    if is_video(name):
        return "video"
    if suffix in SIDECARS:
        return "sidecar"
    return f"{suffix[1:].upper()} file" if len(suffix) > 1 else "file without a suffix"


@dataclass(slots=True)
class LeftOut:
    """How many files were left out, by what they are; videos of Live Photos are part of their pictures."""

    counts: Counter[str] = field(default_factory=Counter)
    live_photos: int = 0

    @classmethod
    def of(cls, noted: Json | None) -> LeftOut:
        """Return it as `as_json` gave it."""
        noted = noted or {}
        return cls(Counter(noted.get("left_out", {})), noted.get("live_photos", 0))

    def add(self, what: str, count: int = 1) -> None:
        """Count files."""
        if what == LIVE:
            self.live_photos += count
        elif count:
            self.counts[what] += count

    def as_json(self) -> Json:
        """Return it as JSON, the greatest counts first."""
        return {"left_out": dict(self.counts.most_common()), "live_photos": self.live_photos}

    def __bool__(self) -> bool:
        return bool(self.counts or self.live_photos)

    def __str__(self) -> str:
        parts = []
        if self.counts:
            named = ", ".join(_counted(what, count) for what, count in self.counts.most_common())
            parts.append(f"left out: {named}")
        if self.live_photos:
            many = self.live_photos != 1
            parts.append(
                f"{self.live_photos:,} Live Photo{'s' if many else ''} taken as "
                f"{'pictures' if many else 'a picture'}, without the video{'s' if many else ''}"
            )
        return "; ".join(parts)


def _counted(what: str, count: int) -> str:
    plural = _WORDS.sub(r"\1s", what, count=1) if count != 1 else what
    return f"{count:,} {plural}"
