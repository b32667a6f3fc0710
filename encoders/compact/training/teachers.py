"""The features that compact learns from: DeiT-Tiny and MobileNetV2 side by side, computed once and cached."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

from encoders.compact.training.pictures import Pictures, Pixels

BLOCK = 512  # pictures of one cache file
SIDE = 224
DEIT_DIM, MOBILENET_DIM = 192, 1280
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

log = logging.getLogger(__name__)

Targets = npt.NDArray[np.float16]
"""(n, 192 + 1280) float16: two features side by side, each of unit length."""


class Teachers(nn.Module):
    """Both teachers on one batch of 224 x 224 pictures."""

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.deit = timm.create_model("deit_tiny_patch16_224", num_classes=0)
        self.deit.load_state_dict(_without_head(weights / "deit_tiny_patch16_224.safetensors"))
        self.mobilenet = mobilenet_v2()
        self.mobilenet.load_state_dict(load_file(weights / "mobilenet_v2.safetensors"), strict=False)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Map (n, 224, 224, 3) uint8 to (n, 1472) float32, each half of unit length."""
        batch = (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        kind = next(self.deit.parameters()).dtype
        batch = batch.to(kind).contiguous(memory_format=torch.channels_last)
        deit = self.deit(batch).float()
        mobilenet = self.mobilenet.features(batch).mean((2, 3)).float()
        return torch.cat([nn.functional.normalize(deit), nn.functional.normalize(mobilenet)], dim=1)


def load_teachers(weights: Path, device: str) -> Teachers:
    """Load both from the shared weights, in bfloat16: twice the speed, cosine 0.9999 to float32."""
    teachers: Teachers = Teachers(weights).eval().to(device).to(memory_format=torch.channels_last)
    teachers.deit.bfloat16()
    teachers.mobilenet.bfloat16()
    return teachers


def load_targets(pictures: Pictures, weights: Path, cache: Path, *, device: str) -> Targets:
    """Return the teachers' features of every picture that is not held out, in order.

    What the cache lacks is computed; a kill costs at most a block of each thread.
    """
    folder = cache / f"{pictures.source.name}-teachers"
    folder.mkdir(parents=True, exist_ok=True)
    rows = pictures.rows_of(pictures.split.training | pictures.split.tuning)
    missing = [start for start in range(0, len(rows), BLOCK) if not _block(folder, start).exists()]
    if missing:
        teachers = load_teachers(weights, device)

        def block(start: int) -> None:
            features = embed_pixels(teachers, pictures.pixels[rows[start : start + BLOCK]], device)
            _save(_block(folder, start), features.astype(np.float16))
            log.info("teachers: %s %d of %d", pictures.source.name, start + len(features), len(rows))

        _each(block, missing, workers=1 if device.startswith("cuda") else os.cpu_count() or 1)
    return np.concatenate([np.load(_block(folder, start)) for start in range(0, len(rows), BLOCK)])


def embed_pixels(teachers: Teachers, pixels: Pixels, device: str) -> npt.NDArray[np.float32]:
    """Return the (n, 1472) features of some pictures."""
    step = 128 if device.startswith("cuda") else 8
    grown = np.stack([_grow(picture) for picture in pixels])
    with torch.inference_mode():
        parts = [
            teachers(torch.from_numpy(grown[at : at + step]).to(device)).cpu()
            for at in range(0, len(grown), step)
        ]
    features: npt.NDArray[np.float32] = torch.cat(parts).numpy()
    return features


def _each(work: Callable[[int], None], starts: list[int], *, workers: int) -> None:
    # threads of one compute thread each beat one call with several: most layers here are small
    before = torch.get_num_threads()
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(work, starts))
    torch.set_num_threads(before)


def _save(file: Path, features: Targets) -> None:
    partial = file.with_suffix(".partial")
    with partial.open("wb") as out:
        np.save(out, features)
    partial.replace(file)


def _block(folder: Path, start: int) -> Path:
    return folder / f"{start:06d}.npy"


def _grow(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _without_head(file: Path) -> dict[str, Tensor]:
    return {key: value for key, value in load_file(file).items() if not key.startswith("head.")}
