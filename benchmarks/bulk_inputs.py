"""What the bulk benchmark feeds on: encoders, pictures, and archives of many of them."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import httpx
import torch
from PIL import Image
from safetensors.torch import save_file

from benchmarks.common import SHARED, picture

DEIT = SHARED / "weights" / "deit_tiny_patch16_224.safetensors"
QUERIES = SHARED / "data" / "sports20" / "query"
SUPPORTS = SHARED / "data" / "sports20" / "support"
DIFFERENT = 512  # pictures that an archive repeats; more would only cost time to make
LARGE = (1280, 960)
PHOTOGRAPH = (4032, 3024)


def spec_of(name: str, folder: Path) -> str | None:
    """Return the spec of a short name, or None; vitb32 has random weights, which take the same time."""
    if name == "deit":
        return f"timm:deit_tiny_patch16_224@{DEIT}" if DEIT.exists() else None
    if name == "vitb32":
        file = folder / "vitb32.safetensors"
        if not file.exists():
            import open_clip  # which takes seconds

            torch.manual_seed(0)
            visual = open_clip.create_model("ViT-B-32").visual
            save_file({key: value.contiguous() for key, value in visual.state_dict().items()}, file)
        return f"open_clip:ViT-B-32@{file}"
    return name


def pictures(kind: str) -> tuple[str, list[bytes]]:
    """Return what they are and different files.

    `sports`, `large` (1280 x 960 of them), `photographs` (mosaics of 12 megapixels) or `tiny` digits.
    """
    files = sorted(QUERIES.glob("*/*.jpg"))
    if kind == "tiny" or not files:
        return "digits 64 x 64 PNG", [picture(n) for n in range(DIFFERENT)]
    some = [file.read_bytes() for file in files[:: max(1, len(files) // DIFFERENT)]]
    if kind == "large":
        return "sports20 made 1280 x 960 JPEG", [_enlarged(content) for content in some[:128]]
    if kind == "photographs":
        return "12-megapixel mosaics of sports20, JPEG", [_mosaic(some[n::16]) for n in range(16)]
    return "sports20 JPEG", some


def _enlarged(content: bytes) -> bytes:
    out = BytesIO()
    with Image.open(BytesIO(content)) as image:
        image.convert("RGB").resize(LARGE, Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def _mosaic(contents: Sequence[bytes]) -> bytes:
    """Return pictures joined to one of 12 megapixels, none of them scaled."""
    canvas = Image.new("RGB", PHOTOGRAPH)
    x = y = height = n = 0
    while y < canvas.height:
        with Image.open(BytesIO(contents[n % len(contents)])) as tile:
            canvas.paste(tile.convert("RGB"), (x, y))
            x, height, n = x + tile.width, max(height, tile.height), n + 1
        if x >= canvas.width:
            x, y, height = 0, y + height, 0
    out = BytesIO()
    canvas.save(out, "JPEG", quality=90)
    return out.getvalue()


def archive_of(contents: Sequence[bytes], items: int, folder: Path) -> Path:
    """Write a stored zip of so many pictures, repeating what there is."""
    with (
        tempfile.NamedTemporaryFile(dir=folder, suffix=".zip", delete=False) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):
        for n in range(items):
            archive.writestr(f"{n:06}.jpg", contents[n % len(contents)])
    return Path(file.name)


def folder_of(contents: Sequence[bytes], items: int, folder: Path) -> Path:
    """Write a folder of so many pictures; repeated ones are links to the same bytes."""
    target = Path(tempfile.mkdtemp(dir=folder, prefix="pictures-"))
    for n in range(items):
        file = target / f"{n:06}.jpg"
        if n < len(contents):
            file.write_bytes(contents[n])
        else:
            file.hardlink_to(target / f"{n % len(contents):06}.jpg")
    return target


SOURCES = {"upload": archive_of, "folder": folder_of}


def enroll_some(http: httpx.Client) -> int:
    """Make the collection `bench` of sports20's 100 supports, or of 50 digits; return how many it holds."""
    http.post("/v1/collections", json={"name": "bench"}).raise_for_status()
    files = sorted(SUPPORTS.glob("*/*.jpg"))
    some = [(file.parent.name, file.read_bytes()) for file in files]
    some = some or [(f"digit {n % 10}", picture(n)) for n in range(50)]

    def enroll(label: str, content: bytes) -> None:
        http.post(
            "/v1/collections/bench/enroll",
            params={"label": label},
            content=content,
            headers={"Prefer": "wait=60", "Content-Type": "image/jpeg"},
        ).raise_for_status()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enroll, *zip(*some, strict=True)))
    return len(some)
