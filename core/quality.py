"""What a picture is checked for before it is enrolled: findings, their limits, and which refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from core.errors import ExemplarError


class FindingCode(StrEnum):
    """What is found wrong with a picture that is to be enrolled."""

    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    NEAR_DUPLICATE = "near_duplicate_of_other_class"
    UNLIKE = "unlike_its_class"
    CONFLICT = "label_conflict"


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality settings of a collection; a finding refuses a picture only if `refuse` names it."""

    refuse: tuple[FindingCode, ...] = ()
    min_side: int = 48
    """Pixels of the shorter side; a picture with fewer is `too_small`."""
    min_sharpness: float = 0.5
    """A picture whose edges lose less of their strength when it is blurred is `blurred`."""
    min_light: float = 64.0
    """A picture is `too_dark` if 95 % of its pixels are darker, of 255."""
    max_light: float = 160.0
    """A picture is `too_bright` if 95 % of its pixels are lighter, of 255."""
    near_share: float = 0.6
    """A support is a near twin within this share of the usual distance between nearest supports."""
    unlike_deviations: float = 3.0
    """A picture is `unlike_its_class` from so many standard deviations on."""
    conflict_deviations: float = 2.5
    """A label conflicts if another class is nearer, by so many standard deviations of the usual lead."""

    def refuses(self, findings: tuple[Finding, ...]) -> ExemplarError | None:
        """Return the error of a picture with these findings, None if it may be enrolled."""
        bad = [finding for finding in findings if finding.code in self.refuse]
        if not bad:
            return None
        said = "; ".join(map(str, bad))
        return ExemplarError(
            "picture_refused", f"the quality settings of this collection refuse the picture: {said}"
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What is found wrong with a picture: the value that was measured, and the limit that it passed."""

    code: FindingCode
    value: float
    limit: float
    support_id: int | None = None
    """The support that it is about."""
    label: str | None = None
    """The class of that support, or the class that the picture looks like."""

    def __str__(self) -> str:
        said = f"{self.code.value}: {self.value:g}, limit {self.limit:g}"
        return said if self.label is None else f"{said}, see {self.label!r}"

    def as_json(self) -> Mapping[str, Any]:
        """Return the form that results store."""
        shown = asdict(self) | {"code": self.code.value}
        return {name: value for name, value in shown.items() if value is not None}


USUAL = Quality()


def unpack_quality(packed: Mapping[str, Any] | None) -> Quality:
    """Return settings as they were packed; what is not among them has its default."""
    known = {field.name for field in fields(Quality)}
    found = {name: value for name, value in (packed or {}).items() if name in known}
    if "refuse" in found:
        found["refuse"] = tuple(FindingCode(code) for code in found["refuse"])
    return Quality(**found)


def pack_quality(quality: Quality) -> Mapping[str, Any]:
    """Return settings as JSON."""
    return asdict(quality) | {"refuse": [code.value for code in quality.refuse]}
