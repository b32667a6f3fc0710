"""TIFFs of samples that Pillow takes for others or not at all: wide ones in planes, and floats of colours."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from core.decoding.depth import finite, white_in
from core.decoding.strips import STRIP_PIXELS
from core.decoding.tiff import ORIENTATION, Directory, read_directories
from core.errors import ExemplarError

MAX_BYTES = 200 << 20  # of all samples as they are in the file
MAX_STRIPS = 1 << 16
_STORED, _DEFLATE = 1, (8, 32946)
_UINT, _INT, _FLOAT = 1, 2, 3
_KINDS = {_UINT: "u", _INT: "i", _FLOAT: "f"}
_PART_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of a TIFF lie in it."""

    directory: Directory
    width: int
    height: int
    samples: int
    bits: int
    kind: int
    in_planes: bool

    @property
    def orientation(self) -> int:
        """How the picture is to be turned."""
        return self.directory.integer(ORIENTATION) or 1

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of a sample as it is in the file."""
        return np.dtype(f"{self.directory.order}{_KINDS[self.kind]}{self.bits // 8}")


def layout_of(content: bytes) -> Layout | None:
    """Return the layout of a TIFF that Pillow does not read rightly, None for all others."""
    directory = next(read_directories(content), None)
    if directory is None:
        return None
    width, height = directory.integer(0x0100), directory.integer(0x0101)
    bits, samples = set(directory.integers(0x0102)), directory.integer(0x0115) or 1
    kind, in_planes = directory.integer(0x0153) or _UINT, directory.integer(0x011C) == 2
    if not width or not height or len(bits) != 1 or kind not in _KINDS:
        return None
    depth = bits.pop()
    is_odd = (samples > 1 and depth > 8 and (in_planes or kind == _FLOAT)) or (kind == _FLOAT and depth != 32)
    if not is_odd or depth not in (16, 32, 64):
        return None
    return Layout(directory, width, height, samples, depth, kind, in_planes and samples > 1)


def read_samples(content: bytes, layout: Layout) -> Image.Image:
    """Return the picture in 8 bits, L or RGB, as it lies; raises `picture_unreadable`."""
    width, height, samples = layout.width, layout.height, layout.samples
    size = width * height * samples * layout.dtype.itemsize
    photometric = layout.directory.integer(0x0106)
    is_known = (photometric == 2 and samples in (3, 4)) or (photometric in (0, 1) and samples in (1, 2))
    if not is_known or size > MAX_BYTES or layout.directory.integer(0x013D) not in (None, 1):
        raise _not_read(layout)
    data = np.frombuffer(_unpacked(content, layout, size), layout.dtype)
    shape = (samples, height, width) if layout.in_planes else (height, width, samples)
    lying = data.reshape(shape)
    values = np.moveaxis(lying, 0, -1) if layout.in_planes else lying
    return _as_picture(values[..., :3] if photometric == 2 else values[..., 0], inverted=photometric == 0)


def _as_picture(values: npt.NDArray[np.generic], *, inverted: bool) -> Image.Image:
    rows = max(STRIP_PIXELS // values.shape[1], 1)
    strips = [values[row : row + rows] for row in range(0, len(values), rows)]
    extremes = [(float(strip.min()), float(strip.max())) for strip in map(finite, strips)]
    least, top = min(least for least, _ in extremes), max(top for _, top in extremes)
    black, white = white_in(least, top, None, is_float=values.dtype.kind == "f")
    if inverted:
        black, white = white, black
    scale = 255 / (white - black) if white != black else 0.0
    seen = np.empty(values.shape, np.uint8)
    for number, strip in enumerate(strips):
        scaled = finite(strip) * np.float32(scale) + np.float32(0.5 - black * scale)
        seen[number * rows : number * rows + len(strip)] = scaled.clip(0, 255).astype(np.uint8)
    return Image.fromarray(seen)


def _unpacked(content: bytes, layout: Layout, size: int) -> bytearray:
    compression = layout.directory.integer(0x0103) or _STORED
    places = layout.directory.integers(0x0111, most=MAX_STRIPS)
    sizes = layout.directory.integers(0x0117, most=MAX_STRIPS)
    if compression not in (_STORED, *_DEFLATE) or not places or len(places) != len(sizes):
        raise _not_read(layout)
    samples, end = bytearray(size), 0
    for at, length in zip(places, sizes, strict=True):
        for part in _parts(content[at : at + length], size - end, is_packed=compression in _DEFLATE):
            samples[end : end + len(part)] = part
            end += len(part)
        if end == size:
            return samples
    raise ExemplarError("picture_unreadable", f"the picture is cut off: {size - end} bytes are missing")


def _parts(strip: bytes, most: int, *, is_packed: bool) -> Iterator[bytes]:
    """Yield up to so many bytes of a strip, not all at once where it is packed."""
    if not is_packed:
        yield strip[:most]
        return
    unpacker = zlib.decompressobj()
    while most > 0 and not unpacker.eof:
        part = unpacker.decompress(strip, min(most, _PART_BYTES))
        strip = unpacker.unconsumed_tail
        if not part and not strip:
            return
        most -= len(part)
        yield part


def _not_read(layout: Layout) -> ExemplarError:
    what = "floats" if layout.kind == _FLOAT else "samples"
    return ExemplarError(
        "picture_unreadable",
        f"TIFF of {layout.samples} x {layout.bits}-bit {what}{' in planes' if layout.in_planes else ''} "
        "packed in a way that is not read; save it with 8 or 16 bits a sample",
    )
