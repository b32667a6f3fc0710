"""What the gate at enrolment finds among pictures with made faults.

    python -m benchmarks.quality [--part report|tune] [--shots 10]

Sports of `shared/data/sports80-128px.zip`: the limits were chosen on every second one (`tune`), and are
measured on the others (`report`), in two groups of 20. Of each sport, 10 pictures are enrolled; then 20 more
arrive as they are, and two of them with each fault, by a seed: blurred (Gaussian, radius 1 to 3 at a shorter
side of 128 pixels), tiny (shorter side 12 to 47 pixels), dark (light times 0.08 to 0.25), bright (times 4 to
10), duplicated (an enrolled picture of another class as JPEG of quality 30 to 70, resized, cropped by up to
5 % a side or mirrored), and mislabelled (under another class). JSON lines: of each fault the share found by
its own finding (recall) and by any; of each finding its precision among all that arrived, and the share of
the faultless pictures that it warns of.
"""

from __future__ import annotations

import argparse
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from benchmarks.common import DEFAULT, SHARED, emit
from cli.folders import Embedded
from cli.trial import enrolled
from core.collections import Views
from core.picture_quality import findings_of, measure
from core.quality import Finding, FindingCode, Quality
from core.vectors import Vectors
from encoders import Encoder, open_encoder
from index.door import examine

SPORTS = SHARED / "data" / "sports80-128px.zip"
ARRIVING, PER_FAULT = 20, 2
GROUPS = 2


@dataclass(frozen=True, slots=True)
class Arrival:
    """A picture that is to be enrolled under a label, and the fault that was made."""

    picture: Image.Image
    label: str
    fault: str | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--part", choices=("report", "tune"), default="report")
    parser.add_argument("--shots", type=int, default=10)
    given = parser.parse_args()
    if not SPORTS.exists():
        raise SystemExit(f"{SPORTS} is not there")
    encoder = open_encoder(DEFAULT)
    sports = read()
    half = sorted(sports)[given.part == "report" :: 2]
    found: list[tuple[str | None, tuple[Finding, ...]]] = []
    for number in range(GROUPS):
        group = {label: sports[label] for label in half[number::GROUPS]}
        found += examined(encoder, group, given.shots, np.random.default_rng(number))
    show(given.part, given.shots, found)


def read() -> dict[str, list[bytes]]:
    """Return the encoded pictures of each sport, in name order."""
    found = defaultdict[str, list[bytes]](list)
    with zipfile.ZipFile(SPORTS) as archive:
        for name in sorted(archive.namelist()):
            if name.lower().endswith(".jpg"):
                found[Path(name).parent.name].append(archive.read(name))
    return found


def examined(
    encoder: Encoder, sports: dict[str, list[bytes]], shots: int, rng: np.random.Generator
) -> list[tuple[str | None, tuple[Finding, ...]]]:
    """Enrol some pictures of each sport, and return the fault of each arrival and what was found."""
    opened = {
        label: [Image.open(BytesIO(one)).convert("RGB") for one in encoded[: shots + ARRIVING]]
        for label, encoded in sports.items()
    }
    there = [(label, picture) for label, some in opened.items() for picture in some[:shots]]
    arrivals = [
        arrival
        for label, some in opened.items()
        for arrival in arriving(label, some[shots:], list(opened), there, rng)
    ]
    supports = Embedded([label for label, _ in there], embed(encoder, [picture for _, picture in there]))
    replica, quality = enrolled(supports), Quality()
    vectors = embed(encoder, [arrival.picture for arrival in arrivals])
    compared = examine(replica, vectors, [arrival.label for arrival in arrivals], quality)
    return [
        (arrival.fault, findings_of(measure(arrival.picture), quality) + more)
        for arrival, more in zip(arrivals, compared, strict=True)
    ]


def arriving(
    label: str,
    pictures: Sequence[Image.Image],
    labels: Sequence[str],
    there: Sequence[tuple[str, Image.Image]],
    rng: np.random.Generator,
) -> list[Arrival]:
    """Return the pictures of a class as they are, and copies of some with each fault."""
    found = [Arrival(picture, label) for picture in pictures]
    for fault, spoil in SPOILED.items():
        for place in rng.choice(len(pictures), PER_FAULT, replace=False):
            found.append(Arrival(spoil(pictures[place], rng), label, fault))
    others = [one for one in labels if one != label]
    for place in rng.choice(len(pictures), PER_FAULT, replace=False):
        found.append(Arrival(pictures[place], str(rng.choice(others)), "mislabelled"))
    elsewhere = [picture for other, picture in there if other != label]
    for place in rng.choice(len(elsewhere), PER_FAULT, replace=False):
        found.append(Arrival(copied(elsewhere[place], rng), label, "duplicated"))
    return found


def blurred(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 3))))


def tiny(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    scale = int(rng.integers(12, 48)) / min(picture.size)
    return picture.resize([max(round(length * scale), 1) for length in picture.size])


def dark(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return lit(picture, float(rng.uniform(0.08, 0.25)))


def bright(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return lit(picture, float(rng.uniform(4, 10)))


def lit(picture: Image.Image, factor: float) -> Image.Image:
    light = np.asarray(picture, np.float32) * factor
    return Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))


def copied(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return a picture as it comes back from elsewhere."""
    width, height = picture.size
    left, top = (int(length * rng.uniform(0, 0.05)) for length in picture.size)
    changed = [
        picture,
        picture.resize((round(width * 0.7), round(height * 0.7))),
        picture.crop((left, top, width - left, height - top)),
        ImageOps.mirror(picture),
    ][rng.integers(4)]
    out = BytesIO()
    changed.save(out, "JPEG", quality=int(rng.integers(30, 71)))
    return Image.open(out).convert("RGB")


SPOILED: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    one.__name__: one for one in (blurred, tiny, dark, bright)
}
OWN: dict[str, tuple[FindingCode, ...]] = {
    "blurred": (FindingCode.BLURRED,),
    "tiny": (FindingCode.TOO_SMALL,),
    "dark": (FindingCode.TOO_DARK,),
    "bright": (FindingCode.TOO_BRIGHT,),
    "duplicated": (FindingCode.NEAR_DUPLICATE,),
    "mislabelled": (FindingCode.CONFLICT, FindingCode.UNLIKE),
}


RIGHT: dict[FindingCode, tuple[str, ...]] = {
    FindingCode.BLURRED: ("blurred",),
    FindingCode.TOO_SMALL: ("tiny",),
    FindingCode.TOO_DARK: ("dark",),
    FindingCode.TOO_BRIGHT: ("bright",),
    FindingCode.NEAR_DUPLICATE: ("duplicated",),
    FindingCode.CONFLICT: ("mislabelled", "duplicated"),
    FindingCode.UNLIKE: ("mislabelled", "duplicated", *SPOILED),
}
"""The faults of which a finding is right: what is spoilt enough is unlike its class."""


def show(part: str, shots: int, found: Sequence[tuple[str | None, tuple[Finding, ...]]]) -> None:
    """Print the share of each fault that is found, and how many findings are right."""
    codes = [(fault, {finding.code for finding in findings}) for fault, findings in found]
    clean = [some for fault, some in codes if fault is None]
    for fault, own in OWN.items():
        made = [some for one, some in codes if one == fault]
        emit(
            "quality_faults",
            part=part,
            examples=shots,
            fault=fault,
            pictures=len(made),
            recall=share(bool(some & set(own)) for some in made),
            found_by_any=share(map(bool, made)),
            by_finding={code.value: count for code, count in Counter(c for s in made for c in s).items()},
        )
    for code in FindingCode:
        faults = Counter(fault for fault, some in codes if code in some)
        right = sum(count for fault, count in faults.items() if fault in RIGHT[code])
        emit(
            "quality_findings",
            part=part,
            examples=shots,
            finding=code.value,
            found=faults.total(),
            precision=round(right / faults.total(), 4) if faults else None,
            of_faultless=share(code in some for some in clean),
        )
    emit("quality_faultless", part=part, examples=shots, pictures=len(clean), warned=share(map(bool, clean)))


def share(of: object) -> float:
    return round(float(np.mean(list(of))), 4)  # type: ignore[call-overload]


def embed(encoder: Encoder, pictures: Sequence[Image.Image]) -> Vectors:
    step = encoder.batch_size
    return np.concatenate(
        [
            encoder.embed([encoder.prepare(picture, Views.ONE) for picture in pictures[at : at + step]])
            for at in range(0, len(pictures), step)
        ]
    )


if __name__ == "__main__":
    main()
