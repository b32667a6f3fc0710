"""Colour profiles made for tests and benchmarks (ICC.1:2001-04): wide gamuts, grey, and a press."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Floats = npt.NDArray[np.float64]

D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.9505, 1.0, 1.0891])
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060))
SRGB = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
PRESS_STEPS = 9
INK_GAIN = 1.3  # how much more ink shows on the made-up press than the plain complement says


def rgb_profile(primaries: Sequence[tuple[float, float]], gamma: float, *, padding: int = 0) -> bytes:
    """Return a matrix profile of these primaries under D65; `padding` bytes of 0xFF make it larger."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    matrix = columns * np.linalg.solve(columns, D65)
    cone = np.diag((_BRADFORD @ D50) / (_BRADFORD @ D65))
    adapted = np.linalg.inv(_BRADFORD) @ cone @ _BRADFORD @ matrix
    tags = {f"{name}XYZ": _xyz(column) for name, column in zip("rgb", adapted.T, strict=True)}
    tags |= {f"{name}TRC": _curve(gamma) for name in "rgb"}
    if padding:
        tags["priv"] = b"data" + bytes(4) + struct.pack(">I", 1) + b"\xff\xda" * (padding // 2)
    return _profile("mntr", "RGB ", "XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    """Return a profile of grey with this gamma."""
    return _profile("mntr", "GRAY", "XYZ ", {"kTRC": _curve(gamma)})


def press_profile() -> bytes:
    """Return a profile of four inks that lie heavier on the paper than the plain complement of RGB says."""
    steps = np.linspace(0, 1, PRESS_STEPS)
    inks = np.stack(np.meshgrid(steps, steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 4)
    table = _lab_bytes(_seen(inks))
    curve = bytes(range(256))
    header = struct.pack(">4B", 4, 3, PRESS_STEPS, 0) + struct.pack(
        ">9i", *(np.eye(3).ravel() * 65536).astype(int)
    )
    return _profile(
        "prtr", "CMYK", "Lab ", {"A2B0": b"mft1" + bytes(4) + header + curve * 4 + table + curve * 3}
    )


def as_inks(picture: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Return a picture in inks of that press (with some black), and what the press makes of them in sRGB."""
    rgb = np.asarray(picture.convert("RGB")) / 255.0
    black = 0.5 * (1 - rgb.max(axis=-1, keepdims=True))
    inks = np.concatenate([1 - rgb - black, black], axis=-1).clip(0, 1) ** INK_GAIN
    quantised = (inks * 255).round().astype(np.uint8)
    seen = (_seen(quantised.reshape(-1, 4) / 255.0) * 255).round().astype(np.uint8).reshape(rgb.shape)
    return Image.fromarray(quantised, "CMYK"), Image.fromarray(seen)


def in_profile(picture: Image.Image, profile: bytes) -> Image.Image:
    """Return a picture of sRGB with its colours encoded in a profile."""
    target = ImageCms.ImageCmsProfile(BytesIO(profile))
    mode = "L" if profile[16:20] == b"GRAY" else "RGB"
    moved = ImageCms.profileToProfile(
        picture.convert("RGB"), ImageCms.createProfile("sRGB"), target, outputMode=mode, renderingIntent=1
    )
    assert moved is not None
    return moved


def _seen(inks: Floats) -> Floats:
    """Return RGB shares that inks look like."""
    shown = inks ** (1 / INK_GAIN)
    return (1 - shown[:, :3] - shown[:, 3:]).clip(0, 1)


def _lab_bytes(rgb: Floats) -> bytes:
    pixels = (rgb * 255).round().astype(np.uint8)
    row = Image.frombytes("RGB", (len(pixels), 1), pixels.tobytes())
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        "RGB",
        "LAB",
        ImageCms.Intent.PERCEPTUAL,
    )
    lab = np.frombuffer(to_lab.apply(row).tobytes(), np.uint8).reshape(-1, 3)
    # Pillow keeps a and b with a sign, profiles from 128 on
    return (lab + np.array([0, 128, 128], np.uint8)).astype(np.uint8).tobytes()


def _xyz(values: Sequence[float] | Floats) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def _profile(class_: str, space: str, connection: str, tags: dict[str, bytes]) -> bytes:
    name = b"made for tests"
    described = b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name + bytes(1 + 78)
    tags = {"desc": described, "cprt": b"text" + bytes(4) + b"public domain\0", "wtpt": _xyz(D50), **tags}
    at = 128 + 4 + 12 * len(tags)
    directory, body = b"", b""
    for tag, content in tags.items():
        directory += tag.encode() + struct.pack(">II", at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = at + len(body)
    header = struct.pack(
        ">I4sI4s4s4s", size, b"lcms", 0x02400000, class_.encode(), space.encode(), connection.encode()
    )
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", *(round(value * 65536) for value in D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + body
