"""Encoder specs: `KIND:NAME[/TAG][@FILE]`, a packaged encoder's name, or `concat:A+B`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import ExemplarError
from core.near import did_you_mean

KINDS = ("open_clip", "timm")
# their weights are Python packages; the first is the default
PACKAGED = ("efficientnet_lite2", "efficientnet_lite0")
RECOMMENDED = "open_clip:ViT-B-32/laion2b_s34b_b79k"  # where its weights can be downloaded
REMOVED = "compact"  # the default of 0.1; existing records may name it
REINDEX = (
    f"give its collections another one: exemplar reindex start NAME --encoder {PACKAGED[0]}, "
    "then exemplar reindex switch NAME"
)
CONCAT = "concat:"
_SPEC = re.compile(r"(?P<kind>[a-z_]+):(?P<name>[\w.-]+)(/(?P<tag>[\w.-]+))?(@(?P<file>[^@]+))?")
# a file's name may contain a +, so a part ends only where the next one starts with a kind
_NEXT_PART = re.compile(rf"\+(?=[a-z_]+:|(?:{'|'.join((*PACKAGED, REMOVED))})(?:\+|$))")


def encoder_line(spec: str, how: str) -> str:
    """Return a line that names the active encoder, and says `how` to use a better one if there is one."""
    if not set(spec.removeprefix(CONCAT).split("+")) & set(PACKAGED):
        return f"encoder {spec}"
    return f"encoder {spec}; CLIP recognises more if its weights can be downloaded: {how} {RECOMMENDED}"


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """A parsed encoder spec; `str()` returns the original.

    `parts` are those of a concat: two or more different encoders whose vectors are concatenated.
    """

    kind: str
    name: str = ""
    tag: str | None = None
    file: str | None = None
    parts: tuple[EncoderSpec, ...] = ()

    @classmethod
    def parse(cls, text: str) -> EncoderSpec:
        """Parse a spec; an invalid one raises `encoder_unknown`."""
        if text in PACKAGED:
            return cls(text)
        if text == REMOVED:
            raise removed(text)
        if text.startswith(CONCAT):
            return cls._parse_concat(text)
        match = _SPEC.fullmatch(text)
        if match is None or match["kind"] not in KINDS:
            raise ExemplarError(
                "encoder_unknown",
                f"expected {', '.join(PACKAGED)}, open_clip:NAME[/TAG][@FILE], timm:NAME[@FILE] or "
                f"concat:A+B of such, got {text!r}{did_you_mean(text, (*PACKAGED, RECOMMENDED))}",
            )
        return cls(match["kind"], match["name"], match["tag"], match["file"])

    @classmethod
    def _parse_concat(cls, text: str) -> EncoderSpec:
        names = _names(text)
        if any(name.startswith(CONCAT) for name in names):
            raise _invalid_concat(f"a concat within a concat: {text!r}")
        if len(names) < 2:
            raise _invalid_concat(f"{text!r}")
        if len(set(names)) < len(names):
            raise _invalid_concat(f"one of them twice: {text!r}")
        return cls("concat", parts=tuple(cls.parse(name) for name in names))

    def __str__(self) -> str:
        if self.kind in PACKAGED:
            return self.kind
        if self.kind == "concat":
            return CONCAT + "+".join(str(part) for part in self.parts)
        tag = f"/{self.tag}" if self.tag else ""
        file = f"@{self.file}" if self.file else ""
        return f"{self.kind}:{self.name}{tag}{file}"


def is_removed(text: str) -> bool:
    """Return whether an encoder, or a part of it, was removed from this version."""
    return REMOVED in _names(text)


def removed(text: str, *, do: str = REINDEX) -> ExemplarError:
    """Return the error for a removed encoder, which says what to do."""
    what = text if text == REMOVED else f"{REMOVED}, a part of {text},"
    return ExemplarError("encoder_unknown", f"the encoder {what} was removed; {do}")


def _names(text: str) -> list[str]:
    """Return the names of a concat's parts, or the single name."""
    return _NEXT_PART.split(text.removeprefix(CONCAT)) if text.startswith(CONCAT) else [text]


def _invalid_concat(got: str) -> ExemplarError:
    return ExemplarError(
        "encoder_unknown", f"expected concat:A+B of two or more different encoders, got {got}"
    )
