"""The static files of the page, read once and addressed by a digest of their content."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page."""

    content: bytes
    media_type: str

    @property
    def packed(self) -> bytes:
        """The content compressed with gzip, when it is first asked for."""
        return _packed(self.content)


@cache
def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


@cache
def load_assets(folder: Path) -> tuple[str, Mapping[str, Asset]]:
    """Return one digest of all files, and the files by their names, read once per process.

    Modules import each other by name alone, so they share one digest, as the folder in their URLs.
    """
    digest = hashlib.sha256()
    assets = {}
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        digest.update(path.name.encode() + b"\0" + content)
        assets[path.name] = Asset(content, MEDIA_TYPES[path.suffix])
    return digest.hexdigest()[:16], assets


def imported(assets: Mapping[str, Asset], name: str) -> list[str]:
    """Return the modules that one imports at once, with those that they import; not those it loads later."""
    found: list[str] = []
    waiting = [name]
    while waiting:
        for other in re.findall(
            r'^import .*from "\./([^"]+)";$', assets[waiting.pop()].content.decode(), re.M
        ):
            if other not in found:
                found.append(other)
                waiting.append(other)
    return sorted(found)
