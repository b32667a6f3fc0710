"""How an encoder is named: `KIND:NAME[/TAG][@FILE]`, or plain `compact`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import ExemplarError

KINDS = ("open_clip", "timm")
_SPEC = re.compile(r"(?P<kind>[a-z_]+):(?P<name>[\w.-]+)(/(?P<tag>[\w.-]+))?(@(?P<file>[^@]+))?")


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """The parts of an encoder's name; `str()` gives the name back."""

    kind: str
    name: str = ""
    tag: str | None = None
    file: str | None = None

    @classmethod
    def parse(cls, text: str) -> EncoderSpec:
        """Parse a spec; an unusable one raises `encoder_unknown`."""
        if text == "compact":
            return cls("compact")
        match = _SPEC.fullmatch(text)
        if match is None or match["kind"] not in KINDS:
            raise ExemplarError(
                "encoder_unknown",
                f"expected compact, open_clip:NAME[/TAG][@FILE] or timm:NAME[@FILE], got {text!r}",
            )
        return cls(match["kind"], match["name"], match["tag"], match["file"])

    def __str__(self) -> str:
        if self.kind == "compact":
            return "compact"
        tag = f"/{self.tag}" if self.tag else ""
        file = f"@{self.file}" if self.file else ""
        return f"{self.kind}:{self.name}{tag}{file}"
