"""Broken and hostile files, decoded as a worker decodes them: crashes, wrong accepts, time and memory of one.

python -m benchmarks.malformed
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import random
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import profiles
from benchmarks.common import emit
from benchmarks.deep_files import deep_tiff
from benchmarks.hostile import SCRIPT, Hostile, encoded, hostile_files
from benchmarks.raw_files import MAKERS
from benchmarks.scenes import heif_samples, scene
from benchmarks.sklearn_pictures import read_photographs
from core.errors import ExemplarError
from core.pictures import decode_picture, make_thumbnail

MAX_PIXELS = 50_000_000  # as EXEMPLAR_MAX_PIXELS is by default
HANGS_S = 60.0
ALLOWED_BYTES = 400 << 20  # of memory for a file; 36 million pixels, the largest picture, take nearly as much
MEASURED_AGAIN = 3  # times where a file seems to take more; the least counts
CUT_SHORT = 0.9  # what keeps no more of a file than this is no whole picture
WHOLE_BEFORE_ITS_END = "the sensor's data behind the preview"
EXTREMES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 0x10000)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A file that something was done to; one that `must_fail` is no picture any more."""

    name: str
    content: bytes
    must_fail: bool


@dataclass
class Found:
    """What became of all files."""

    files: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""
    largest_bytes: int = 0
    largest: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="of broken files, besides the hostile ones")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    begun = time.monotonic()
    broken = list(islice(broken_files(arguments.seed), arguments.count))
    hostile = [_as_malformed(file) for file in hostile_files()]
    for name, files in (("broken", broken), ("hostile", hostile)):
        found = decode_all(files)
        for line in [*found.crashes, *found.wrong]:
            print(line)
        emit(
            f"malformed_{name}",
            files=found.files,
            seed=arguments.seed,
            crashes=len(found.crashes),
            wrong_accepts=len(found.wrong),
            outcomes=dict(found.codes.most_common()),
            slowest_ms=round(found.slowest_s * 1000, 1),
            slowest=found.slowest,
            largest_mb=round(found.largest_bytes / 2**20, 1),
            largest=found.largest,
        )
    print(f"{time.monotonic() - begun:.0f} s in all")


def broken_files(seed: int) -> Iterator[Malformed]:
    """Yield real pictures in every allowed format, each broken in another way, without end."""
    chance = random.Random(seed)
    wholes = list(real_files())
    while True:
        name, content = chance.choice(wholes)
        _, other = chance.choice(wholes)
        how = chance.choice(("flip", "cut", "splice", "extreme", "drop", "repeat", "noise"))
        broken = _break(how, content, other, chance)
        # only the first frame of several counts, and that may be whole; so may the preview of a raw file
        may_be_whole = "animated" in name or WHOLE_BEFORE_ITS_END in name
        must_fail = how == "cut" and len(broken) <= CUT_SHORT * len(content) and not may_be_whole
        yield Malformed(f"{name}, {how}", broken, must_fail)


def real_files() -> Iterator[tuple[str, bytes]]:
    """Yield two photographs in each format that is read, with its usual options."""
    for number, pixels in enumerate(read_photographs()):
        photo = Image.fromarray(pixels).resize((200, 134))
        exif = Image.Exif()
        exif[0x0112] = 6
        ways: list[tuple[str, str, dict[str, object]]] = [
            ("RGB", "JPEG", {"exif": exif}),
            ("RGB", "JPEG", {"progressive": True}),
            ("L", "JPEG", {}),
            ("CMYK", "JPEG", {}),
            ("RGB", "PNG", {}),
            ("P", "PNG", {}),
            ("RGBA", "PNG", {}),
            ("I;16", "PNG", {}),
            ("1", "PNG", {}),
            ("RGB", "WEBP", {}),
            ("RGBA", "WEBP", {"lossless": True}),
            ("P", "GIF", {}),
            ("RGB", "BMP", {}),
            ("P", "BMP", {}),
            ("RGB", "TIFF", {}),
            ("RGB", "TIFF", {"compression": "tiff_lzw"}),
            ("RGB", "TIFF", {"compression": "tiff_adobe_deflate"}),
            ("RGB", "TIFF", {"compression": "jpeg"}),
            ("1", "TIFF", {"compression": "group4"}),
            ("RGB", "AVIF", {}),
            ("RGBA", "AVIF", {"quality": 50}),
            ("RGB", "JPEG2000", {}),
            ("L", "JPEG2000", {"quality_mode": "rates", "quality_layers": [20]}),
            ("RGB", "JPEG", {"icc_profile": profiles.rgb_profile(profiles.P3, 2.2)}),
            ("CMYK", "JPEG", {"icc_profile": profiles.press_profile()}),
            ("RGB", "PNG", {"icc_profile": profiles.rgb_profile(profiles.ADOBE, 2.2)}),
            ("LAB", "TIFF", {}),
            ("F", "TIFF", {}),
            ("RGB", "MPO", {}),
        ]
        for mode, format_, options in ways:
            picture = photo.convert("L").convert("I").convert(mode) if mode == "I;16" else photo.convert(mode)
            yield (
                f"photograph {number}, {mode} {format_} {', '.join(options)}",
                encoded(picture, format_, **options),
            )
        frames = [photo.rotate(90 * n) for n in range(3)]
        for format_ in ("GIF", "WEBP", "PNG", "AVIF"):
            content = encoded(frames[0], format_, save_all=True, append_images=frames[1:])
            yield f"photograph {number}, {format_} animated", content
        preview = encoded(photo.resize((600, 402)), "JPEG")
        thumbnail = encoded(photo.resize((160, 107)), "JPEG")
        for name, build in MAKERS.items():
            behind = f", {WHOLE_BEFORE_ITS_END}" if name in ("RAF", "CR3") else ""
            yield f"photograph {number}, {name}{behind}", build(preview, thumbnail, 6)
        colours = np.asarray(photo) / np.float32(255)
        for in_planes in (True, False):
            yield (
                f"photograph {number}, TIFF of floats",
                deep_tiff(colours, in_planes=in_planes, is_packed=True),
            )
    for sample in heif_samples(scene()):
        yield sample.name, sample.content


def _break(how: str, content: bytes, other: bytes, chance: random.Random) -> bytes:
    broken = bytearray(content)
    # half of what is done is done to the head, where the sizes stand
    at = chance.randrange(min(len(broken), 300) if chance.random() < 0.5 else len(broken))
    length = chance.choice((1, 4, 16, 100, 1000))
    if how == "flip":
        for _ in range(chance.choice((1, 2, 8, 64))):
            broken[chance.randrange(at, len(broken))] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del broken[chance.randrange(1, len(broken)) :]
    elif how == "splice":
        return bytes(broken[:at]) + other[chance.randrange(len(other)) :]
    elif how == "extreme":
        broken[at : at + 4] = struct.pack(chance.choice(("<I", ">I")), chance.choice(EXTREMES))
    elif how == "drop":
        del broken[at : at + length]
    elif how == "repeat":
        broken[at:at] = broken[at : at + length] * chance.choice((1, 10, 100))
    else:
        broken[at : at + length] = chance.randbytes(length)
    return bytes(broken)


def decode_all(files: Sequence[Malformed]) -> Found:
    """Decode files in a process of their own, another one after each that kills it."""
    found = Found()
    start = 0
    while start < len(files):
        start = _decode_some(files, start, found)
    return found


def _decode_some(files: Sequence[Malformed], start: int, found: Found) -> int:
    """Decode from a file on until all are done or one kills the process; return where to go on."""
    context = multiprocessing.get_context("spawn")  # a fork's memory is that of whatever called
    ours, theirs = context.Pipe()
    process = context.Process(target=_decode_each, args=(files[start:], theirs), daemon=True)
    process.start()
    theirs.close()
    for number in range(start, len(files)):
        file = files[number]
        found.files += 1
        try:
            if not ours.poll(HANGS_S):
                raise EOFError(f"no end after {HANGS_S:g} s")
            code, took_s, grown = ours.recv()
        except EOFError as error:
            process.kill()
            process.join()
            found.crashes.append(f"{file.name}: {str(error) or process.exitcode}")
            return number + 1
        _note(found, file, code, took_s, grown)
    process.join()
    return len(files)


def _note(found: Found, file: Malformed, code: str, took_s: float, grown: int) -> None:
    found.codes[code] += 1
    if code.startswith("!"):
        found.crashes.append(f"{file.name}: {code}")
    if code == "?" or (code == "accepted" and file.must_fail):
        found.wrong.append(f"{file.name}: {code}")
    if took_s > found.slowest_s:
        found.slowest_s, found.slowest = took_s, file.name
    if grown > found.largest_bytes:
        found.largest_bytes, found.largest = grown, file.name


def _decode_each(files: Sequence[Malformed], out: Connection) -> None:
    for file in files:
        code, took_s, grown = _decode(file)
        for _ in range(MEASURED_AGAIN if grown > ALLOWED_BYTES else 0):
            grown = min(grown, _decode(file)[2])  # the system may have brought back parts of the process
        out.send((code, took_s, grown))
    out.close()


def _decode(file: Malformed) -> tuple[str, float, int]:
    """Return the outcome, the seconds it took, and the bytes by which the process grew."""
    before = _forget_peak()
    start = time.perf_counter()
    code = outcome(file.content)
    took_s = time.perf_counter() - start
    return code, took_s, max(_memory("VmHWM") - before, 0)


def outcome(content: bytes) -> str:
    """Return the code of the refusal or `accepted`; `!...` is an escape, `?` an unfit picture."""
    try:
        picture = decode_picture(content, max_pixels=MAX_PIXELS)
        thumbnail = make_thumbnail(picture)
    except ExemplarError as error:
        return error.code
    except BaseException as error:  # what a worker would take for its own fault
        return f"! {type(error).__name__}: {error}"
    width, height = picture.size
    is_proper = picture.mode == "RGB" and 0 < width * height <= MAX_PIXELS
    is_anew = thumbnail.startswith(b"\xff\xd8") and SCRIPT not in thumbnail
    return "accepted" if is_proper and is_anew else "?"


def _as_malformed(file: Hostile) -> Malformed:
    return Malformed(file.name, file.content, must_fail=not file.may_pass)


def _forget_peak() -> int:
    """Let the peak of memory begin anew, and return what is taken now, in bytes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)  # what the file before left behind must not hide what this one takes
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # no Linux, or not allowed: the peak then is that of all files up to here
        return 0
    return _memory("VmRSS")


def _memory(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


if __name__ == "__main__":
    main()
